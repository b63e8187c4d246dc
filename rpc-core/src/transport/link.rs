//! The client's side of a transport.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use super::LocalTransport;
use crate::{Call, CallFuture, Status, net::Address};

/// Makes links to addresses.
pub trait Transport: Send + Sync + 'static {
    /// `grpc`, `framed`, `local`: the word by which instances list what they speak.
    fn protocol(&self) -> &'static str;

    /// A link to an address. Nothing is connected yet: the first call does, or [`Link::connect`].
    fn link(&self, address: &Address) -> Arc<dyn Link>;

    /// What it speaks besides, where it speaks several: all protocols, best first. An instance is called by the first one
    /// that it lists; one that does not say what is spoken at its address, by [`protocol`](Self::protocol). Default: none.
    fn protocols(&self) -> &[&'static str] {
        &[]
    }

    /// Whether its links speak TLS. An instance that lists TLS for some of its addresses, as `grpcs`, is called at these by a
    /// transport that does, and at the others by one that does not. Default: not known; it is called at any.
    fn is_secure(&self) -> Option<bool> {
        None
    }

    /// A link that speaks one of [`protocols`](Self::protocols).
    fn link_by(&self, protocol: &str, address: &Address) -> Arc<dyn Link> {
        let _ = protocol;
        self.link(address)
    }
}

/// The connections to one address: made when needed, kept alive, made anew with back-off, closed.
///
/// Dropping the last reference closes it at once; calls that are under way fail.
pub trait Link: Send + Sync + 'static {
    /// Sends a call and receives its reply.
    ///
    /// While the link is idle or connecting, the call waits until its deadline. While the link is failing, it fails at
    /// once with UNAVAILABLE, not processed, unless it asks to wait until ready.
    ///
    /// A call that fails as not processed is left as it was: context, metadata and, unless part of it was sent, the body.
    /// It can be sent over another link then. A body that is gone is [`Body::Empty`](crate::Body::Empty).
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a>;

    /// Where it leads.
    fn address(&self) -> &Address;

    /// The in-process transport, where the link leads into this very process. Its future is then a part of the caller's
    /// and needs no box of its own. The link still says by its state, and by [`call`](Self::call), when it is closed.
    fn in_process(&self) -> Option<&LocalTransport> {
        None
    }

    /// The state, and how it changes.
    fn state(&self) -> watch::Receiver<LinkState>;

    /// Starts to connect in the background, if it is idle.
    fn connect(&self);

    /// Takes no more calls; what is under way goes on, streams included, and then the connections are closed. The state
    /// is [`LinkState::Closed`] once that is done. Whoever closes a link keeps it until then.
    fn close(&self);
}

/// What a link can do now. The states are gRPC's.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum LinkState {
    /// No connection, and none wanted.
    #[default]
    Idle,
    /// The first connection is being made.
    Connecting,
    /// There is a connection.
    Ready,
    /// The last attempt to connect failed, or connections were lost one after the other, unused; the next attempt comes by itself after the back-off.
    Failing(Status),
    /// It was closed, and nothing is under way on it any more.
    Closed,
}

impl LinkState {
    /// True if there is a connection.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }

    /// True if the last attempt to connect failed.
    pub fn is_failing(&self) -> bool {
        matches!(self, Self::Failing(_))
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Failing(_) => "failing",
            Self::Closed => "closed",
        })
    }
}
