//! Servers, from the builder to the end of a stop, over real sockets of this machine.

mod builder;
#[cfg(feature = "framed")]
mod framed;
mod health;
mod layers;
mod listeners;
mod load;
mod pings;
mod register;
#[cfg(unix)]
mod signals;
mod stop;
mod support;
mod wakes;
