//! Layers of a server.

pub mod load;
