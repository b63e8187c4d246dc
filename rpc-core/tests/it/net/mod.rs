//! Dialling and listening over real sockets of this machine.

mod dial;
mod echo;
mod listen;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix;
