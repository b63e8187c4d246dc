//! The server, against peers made of h2 and of raw bytes.

mod abuse;
mod bad_input;
mod calls;
mod compression;
mod deadlines;
mod drain;
mod executor;
mod face;
mod face_bounds;
mod gone;
mod http1;
mod lifetime;
mod linked;
mod metadata;
mod pair;
mod peer;
mod service;
mod streaming;
