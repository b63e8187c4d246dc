//! The gRPC transport, seen from outside: peers that behave and peers that do not.

mod client;
mod server;
