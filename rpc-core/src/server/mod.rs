//! From a path to a handler.
//!
//! A transport asks the [`Dispatch`] for a call of a path, fills in what arrived, and has it answered: the call goes
//! through the server's pipeline and ends in the [`Router`], which finds the service and the method, runs the handler in
//! the call's context, and turns a panic into INTERNAL. The functions [`unary`], [`client_streaming`],
//! [`server_streaming`] and [`bidi`] are what a generated server's one line per method calls.

mod dispatch;
pub(crate) mod handler;
mod lent;
mod panic;
mod router;

pub use self::{
    dispatch::{Dispatch, Resolved},
    handler::{bidi, client_streaming, server_streaming, unary},
    router::{Router, Service, Slot},
};
pub(crate) use self::{lent::Lent, panic::caught};
