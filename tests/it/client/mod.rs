//! Clients, from the builder to the last call.

mod blocking;
mod builder;
mod calls;
mod deadline;
mod fleet;
mod health;
mod layers;
mod support;
