//! The end of a call on the wire: `grpc-status` and what goes with it, and what it means when that is missing.

mod h2;
mod http;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use self::{
    h2::{Perspective, from_h2, from_reason, reset_reason},
    http::from_http,
    read::{finish, finish_at_once, fit, is_failure},
    write::{ok, write},
};
