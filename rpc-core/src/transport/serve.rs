//! The server's side of a transport.

use std::{fmt, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::{BoxFuture, net::Address, server::Dispatch};

/// Serves connections that speak one protocol.
pub trait ServerTransport: Send + Sync + 'static {
    /// `grpc`, `framed`, `http/1.1`.
    fn protocol(&self) -> &'static str;

    /// What TLS negotiates for it.
    fn alpn(&self) -> &'static [u8];

    /// Whether the first bytes of a connection without TLS are its. At most 24 bytes are shown.
    fn recognises(&self, prefix: &[u8]) -> Recognition;

    /// Serves a connection to its end. Dropping the future breaks it off.
    ///
    /// It must heed the drain: see [`DrainPhase`].
    fn serve(&self, connection: Accepted, dispatch: Dispatch, drain: Drain) -> BoxFuture<'static, ()>;
}

/// What a transport thinks of the first bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// They are its protocol.
    Yes,
    /// They are not.
    No,
    /// They may be: show more.
    More,
}

/// A byte stream, whatever is below it.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// An accepted connection, after TLS if there is any.
pub struct Accepted {
    /// The bytes. What was looked at comes again.
    pub io: Box<dyn Io>,
    /// Our address on it.
    pub local: Option<Address>,
    /// The peer's.
    pub peer: Option<Address>,
    /// True if TLS protects it.
    pub secure: bool,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

/// How far a server's stop has got, as its connections see it. It only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DrainPhase {
    /// Serving.
    Serving,
    /// Peers are told to go elsewhere (GOAWAY in two steps); what still comes is refused as not processed; calls that
    /// run go on, and the connection ends with the last of them.
    Draining,
    /// Streams that are silent, or merely still open, are ended: UNAVAILABLE, reason `DRAINING`. Unary calls go on.
    EndingStreams,
    /// What still runs is cancelled, and the connection closed.
    Cancelling,
}

/// What a connection sees of the server's stop.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<DrainPhase>);

impl Drain {
    /// A stop that has not begun, and the handle that begins it.
    pub fn new() -> (DrainHandle, Self) {
        let (sender, receiver) = watch::channel(DrainPhase::Serving);
        (DrainHandle(Arc::new(sender)), Self(receiver))
    }

    /// How far it has got.
    pub fn phase(&self) -> DrainPhase {
        *self.0.borrow()
    }

    /// Waits until it has got at least that far. A server that is gone is at [`DrainPhase::Cancelling`].
    pub async fn reached(&mut self, phase: DrainPhase) {
        // An error means that the handle is gone, and with it the server. Not `wait_for`, which every connection of a server
        // would have half as much room again for.
        while self.phase() < phase && self.0.changed().await.is_ok() {}
    }
}

/// Moves a stop forward. Dropping the last one counts as [`DrainPhase::Cancelling`].
#[derive(Debug, Clone)]
pub struct DrainHandle(Arc<watch::Sender<DrainPhase>>);

impl DrainHandle {
    /// Moves to a phase, unless it is there or further already.
    pub fn advance(&self, phase: DrainPhase) {
        self.0.send_if_modified(|now| {
            let forward = phase > *now;
            if forward {
                *now = phase;
            }
            forward
        });
    }

    /// Another view for a connection.
    pub fn subscribe(&self) -> Drain {
        Drain(self.0.subscribe())
    }
}
