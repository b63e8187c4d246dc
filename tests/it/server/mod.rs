//! Servers, from the builder to the end of a stop, over real sockets of this machine.

mod builder;
mod health;
mod layers;
mod listeners;
mod register;
#[cfg(unix)]
mod signals;
mod stop;
mod support;
