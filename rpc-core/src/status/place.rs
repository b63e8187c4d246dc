//! Where a failure happened.

use std::fmt;

use super::Status;
use crate::{Method, net::Address};

/// Whose side a failure is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// Ours, as the caller: the request could not be made or sent, or we gave it up.
    Client,
    /// Between: a connection could not be made, or broke.
    Network,
    /// The callee's: it answered with this status.
    Server,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Network => "network",
            Self::Server => "server",
        })
    }
}

/// Where a call was going, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Place {
    side: Option<Side>,
    method: Option<Method>,
    local: Option<Address>,
    peer: Option<Address>,
}

impl Place {
    /// Whose side failed.
    pub fn side(&self) -> Option<Side> {
        self.side
    }

    /// The path of the method, `/package.Service/Method`.
    pub fn path(&self) -> Option<&str> {
        self.method.as_ref().map(|method| method.path())
    }

    /// Our end of the connection.
    pub fn local(&self) -> Option<&Address> {
        self.local.as_ref()
    }

    /// The peer's end of it.
    pub fn peer(&self) -> Option<&Address> {
        self.peer.as_ref()
    }
}

impl Status {
    /// Where it happened. Stays in this process; each border that it passes adds what it knows.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Says whose side failed, unless a border nearer to the fault has said it.
    pub fn at_side(mut self, side: Side) -> Self {
        self.set_side(side);
        self
    }

    /// [`at_side`](Self::at_side) for a status in its place.
    pub(crate) fn set_side(&mut self, side: Side) {
        self.0.place.side.get_or_insert(side);
    }

    /// Says which method was called, unless that is known.
    pub fn at_method(mut self, method: &Method) -> Self {
        self.set_method(method);
        self
    }

    /// [`at_method`](Self::at_method) for a status in its place.
    pub(crate) fn set_method(&mut self, method: &Method) {
        self.0.place.method.get_or_insert_with(|| method.clone());
    }

    /// Says between which addresses the call went, unless that is known.
    pub fn at_addresses(mut self, local: Option<&Address>, peer: Option<&Address>) -> Self {
        let place = &mut self.0.place;
        place.local = place.local.take().or_else(|| local.cloned());
        place.peer = place.peer.take().or_else(|| peer.cloned());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = " [";
        if let Some(path) = self.path() {
            write!(f, "{before}{path}")?;
            before = " ";
        }
        if let Some(peer) = &self.peer {
            write!(f, "{before}at {peer}")?;
            before = ", ";
        }
        if let Some(side) = self.side {
            let before = if before == " " { ", " } else { before };
            write!(f, "{before}{side} side")?;
        }
        let is_empty = self.method.is_none() && self.peer.is_none() && self.side.is_none();
        f.write_str(if is_empty { "" } else { "]" })
    }
}
