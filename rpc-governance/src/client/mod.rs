//! Layers of a client.

pub mod deadline;
