//! Requests go to the application group that they ask for.
//!
//! # What
//! Usually a client sees one group, which its target names (`?group=vip`), and needs no router. One that serves callers of
//! several groups sees all of them (`?group=*`) and has this router say, for each request, which group it means: the first
//! rule that matches says so, else what the request itself has, else the default.
//!
//! # Nobody left
//! Callers see only their group: a request for a group that has no endpoint fails with `NO_ENDPOINT_AFTER_ROUTER`.

mod config;
mod router;

pub use self::{
    config::{GroupConfig, GroupRule},
    router::GroupRouter,
};
