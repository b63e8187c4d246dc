//! Who calls, as far as the connection says.

use std::{ops::Deref, sync::Arc};

use crate::net::Address;

/// The two ends of the connection that a call came over, and the protocol spoken on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    peer: Option<Address>,
    local: Option<Address>,
    protocol: &'static str,
}

impl Caller {
    /// A caller over a connection of `protocol`: `grpc`, `framed`, `local`.
    pub const fn new(protocol: &'static str) -> Self {
        Self {
            peer: None,
            local: None,
            protocol,
        }
    }

    /// Sets both addresses.
    pub fn with_addresses(mut self, local: Option<Address>, peer: Option<Address>) -> Self {
        self.local = local;
        self.peer = peer;
        self
    }

    /// The caller's address; `None` in process.
    pub fn peer(&self) -> Option<&Address> {
        self.peer.as_ref()
    }

    /// Our own address on that connection.
    pub fn local(&self) -> Option<&Address> {
        self.local.as_ref()
    }

    /// `grpc`, `framed` or `local`.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }
}

/// A caller that many contexts share.
#[derive(Debug, Clone)]
pub(super) enum SharedCaller {
    Counted(Arc<Caller>),
    Static(&'static Caller),
}

impl Deref for SharedCaller {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        match self {
            Self::Counted(caller) => caller,
            Self::Static(caller) => caller,
        }
    }
}
