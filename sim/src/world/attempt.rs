//! One request to one server.

use crate::{Key, Time, policy::Outcome, server::Report};

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) call: Key,
    /// Its server, by its place in the client's list.
    pub(super) endpoint: usize,
    pub(super) ticket: Option<Key>,
    /// Its server.
    pub(super) server: u32,
    pub(super) sent: Time,
    /// It is not the first attempt of its call, or serves one that was not.
    pub(super) again: bool,
    pub(super) place: Place,
    /// The client does not wait any more.
    pub(super) given_up: bool,
    pub(super) answer: Option<(Outcome, Report)>,
}

/// Where it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// On its way there, or back.
    Travelling,
    /// The server works on it.
    Working((u64, Key)),
    /// The server waits for this call.
    Waiting(Key),
}

impl Attempt {
    pub(super) fn new(
        call: Key,
        (endpoint, ticket): (usize, Option<Key>),
        server: u32,
        sent: Time,
        again: bool,
    ) -> Self {
        Self {
            call,
            endpoint,
            ticket,
            server,
            sent,
            again,
            place: Place::Travelling,
            given_up: false,
            answer: None,
        }
    }
}
