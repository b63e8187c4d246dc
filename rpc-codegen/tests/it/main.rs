//! Behaviour of generated code, over the in-process transport.

mod arguments;
mod blocking;
mod codecs;
mod context;
mod descriptor;
mod errors;
mod fields;
mod hygiene;
mod shapes;
mod support;
mod twins;
