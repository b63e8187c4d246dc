//! Lanes from end to end: services that call each other over real sockets, with one registry.

mod edge;
mod hops;
mod support;
