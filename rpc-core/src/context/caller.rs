//! Who calls, as far as the connection says.

use std::{ops::Deref, sync::Arc};

use crate::net::Address;

/// The two ends of the connection that a call came over, the protocol spoken on it, and the application if it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    peer: Option<Address>,
    local: Option<Address>,
    application: Option<Arc<str>>,
    protocol: &'static str,
}

impl Caller {
    /// A caller over a connection of `protocol`: `grpc`, `framed`, `local`.
    pub const fn new(protocol: &'static str) -> Self {
        Self {
            peer: None,
            local: None,
            application: None,
            protocol,
        }
    }

    /// Sets both addresses.
    pub fn with_addresses(mut self, local: Option<Address>, peer: Option<Address>) -> Self {
        self.local = local;
        self.peer = peer;
        self
    }

    /// Sets the name of the application that calls. Who sets it vouches for it.
    pub fn with_application(mut self, name: impl Into<Arc<str>>) -> Self {
        self.application = Some(name.into());
        self
    }

    /// The name of the application that calls; `None` where nobody made sure of it.
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
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
