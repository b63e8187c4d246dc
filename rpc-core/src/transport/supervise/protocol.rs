//! What a transport implements.

use std::{any::Any, sync::Arc};

use super::{Life, LinkConfig, Phase, Spread};
use crate::{
    Call, Reply, Status,
    net::Address,
    status::{Side, reason, text_of},
};

/// How a transport makes connections, and how a call goes over one. There is one for each link.
pub trait Protocol: Send + Sync + 'static {
    /// A connection, as calls see it.
    type Connection: Supervised;

    /// The task of a connection. It ends with the connection, which is [`Phase::Closed`] then, and so it is when the task is
    /// dropped before. One that its peer sends away in good order is [`Phase::Draining`] first, even without calls: without
    /// that it counts as broken.
    type Driver: Future<Output = ()> + Send + 'static;

    /// How its link is kept, [checked](LinkConfig::check). Borrowed, since a transport has one for all its links.
    fn link_config(&self) -> &LinkConfig;

    /// When its calls are spread over more connections. What it returns counts only if its connections measure their
    /// [`Demand`](super::Demand). Default: never.
    fn spread(&self) -> Spread {
        Spread::NONE
    }

    /// Connects, and waits until the peer has shown that it speaks the protocol: a port where something else listens is found
    /// out here, and fails no call. The link bounds the time, and says where it was.
    ///
    /// # Errors
    /// UNAVAILABLE, reason `CONNECT_FAILED`, not processed.
    fn connect(
        &self,
        address: &Address,
        life: Life,
    ) -> impl Future<Output = Result<(Arc<Self::Connection>, Self::Driver), Unable>> + Send;

    /// Sends a call over a connection and receives its reply.
    ///
    /// The body stays where it is unless it is a stream; a stream of which nothing was taken is put back if the attempt fails.
    fn attempt<'a>(
        &'a self,
        connection: &'a Arc<Self::Connection>,
        call: &'a mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Failed>> + Send;
}

/// A connection that a link keeps.
pub trait Supervised: Send + Sync + 'static {
    /// What it was given when it was made.
    fn life(&self) -> &Life;

    /// The other end, for who reads a log.
    fn peer(&self) -> Option<&Address>;

    /// How many calls are under way on it, and wait for room.
    fn load(&self) -> usize;

    /// How many calls the peer takes at a time.
    fn capacity(&self) -> usize;

    /// True if a call was answered on it.
    fn was_of_use(&self) -> bool;

    /// It has just come to a phase: from [`Phase::Draining`] on nobody gets room any more, and who waits for it is sent away. Its
    /// task has to look around.
    fn has_advanced(&self, phase: Phase);

    /// Sends the calls that wait for room away, without closing: each is to [fail as not sent](Failed::not_sent), and picks
    /// anew.
    fn regroup(&self);

    /// True if new calls may use it.
    fn takes_calls(&self) -> bool {
        self.life().takes_calls()
    }

    /// Moves on to a phase, unless it is there or further already.
    fn advance(&self, phase: Phase) {
        if self.life().advance(phase, self.load()) {
            self.has_advanced(phase);
            self.life().tell();
        }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Unable {
    /// It failed.
    Failed(Status),
    /// Somebody is there, and does not speak this protocol.
    Foreign(Status),
    /// Somebody was there, and hung up without a word: it may not speak this protocol, or have come down at that moment.
    Silent(Status),
}

impl Unable {
    /// What calls fail with.
    pub fn status(&self) -> &Status {
        match self {
            Self::Failed(status) | Self::Foreign(status) | Self::Silent(status) => status,
        }
    }

    /// Somebody is there, and does not speak this protocol. The text says what was found.
    pub fn foreign(text: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::Foreign(no_connection(text))
    }

    /// Somebody was there, and hung up without a word. The text says how.
    pub fn silent(text: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::Silent(no_connection(text))
    }

    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Self {
        format!("connecting panicked: {}", text_of(panic)).into()
    }

    pub(super) fn at(self, address: &Address) -> Self {
        let place = |status: Status| status.at_side(Side::Network).at_addresses(None, Some(address));
        match self {
            Self::Failed(status) => Self::Failed(place(status)),
            Self::Foreign(status) => Self::Foreign(place(status)),
            Self::Silent(status) => Self::Silent(place(status)),
        }
    }
}

impl From<Status> for Unable {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

impl From<String> for Unable {
    fn from(text: String) -> Self {
        Self::Failed(no_connection(text))
    }
}

impl From<&'static str> for Unable {
    fn from(text: &'static str) -> Self {
        Self::Failed(no_connection(text))
    }
}

fn no_connection(text: impl Into<std::borrow::Cow<'static, str>>) -> Status {
    Status::unavailable(text)
        .with_reason(reason::CONNECT_FAILED)
        .with_domain(reason::DOMAIN)
        .not_processed()
}

/// An attempt that failed.
#[derive(Debug)]
pub struct Failed {
    /// What the call fails with, unless it is sent again.
    pub status: Status,
    /// Whether that may be.
    pub again: Again,
}

/// Whether the same request may be sent again without anybody noticing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It never left.
    NotSent,
    /// The server has said that it did not take it.
    NotTaken,
    /// The server may have begun it, or it would fail the same way.
    No,
}

impl Failed {
    /// The connection takes no calls any more, or has no room while another one has.
    pub fn not_sent(local: Option<&Address>, peer: Option<&Address>) -> Self {
        let status = Status::unavailable("the connection was closed before the call was sent")
            .with_reason(reason::CONNECTION_LOST)
            .with_domain(reason::DOMAIN)
            .at_side(Side::Network)
            .at_addresses(local, peer)
            .not_processed();
        Self {
            status,
            again: Again::NotSent,
        }
    }
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self {
            status,
            again: Again::No,
        }
    }
}
