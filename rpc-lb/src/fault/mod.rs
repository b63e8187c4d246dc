//! Faults by rule: calls that take longer, or fail, to see what callers make of it.
//!
//! # What
//! A rule says which calls it means, how long they are held up, how many of them fail, and with which code. The first rule
//! that means a call counts. Its delay and its failure are drawn for each attempt, independently of each other; a failure
//! comes after the delay.
//!
//! ```toml
//! [[faults]]
//! name = "stock is slow"
//! when = [{ on = "method", equals = "/shop.v1.Inventory/Stock" }]
//! delay = { time = "200ms", percent = 10 }
//! abort = { code = "UNAVAILABLE", percent = 1 }
//! ```
//!
//! # What it looks like
//! As if the callee had been slow, or had answered so: layers above retry, count and break as they do for a real failure, and
//! the call counts as processed. What tells it from one is its reason, `FAULT_INJECTED`, and the rule's name beside it.
//! Endpoints do not suffer: nothing is sent, so nothing is learnt of any.
//!
//! A delay ends at the call's deadline, with DEADLINE_EXCEEDED. Of a call that streams, the beginning is held up or fails.
//!
//! # Position
//! Once per attempt, before an endpoint is chosen and before calls are mirrored.
//!
//! # Cost
//! Without rules none; with rules, a call that none of them means is compared with them.

mod layer;
mod policy;
mod service;

pub use self::{
    layer::FaultLayer,
    policy::{Abort, Delay, FaultRule},
    service::Fault,
};
