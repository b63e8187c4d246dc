//! From a byte stream to a connection that takes calls.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicU8, AtomicU32},
};

use bytes::BytesMut;
use rpc_core::{
    Status,
    net::Address,
    status::{Side, reason},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use super::{Connection, Phase, Task};
use crate::{
    ALPN,
    client::{ClientConfig, Connect, slab::Slab},
    io::{Alarm, Inbox},
    stream::Hub,
    wire::preface::{self, NoPreface, Settings},
};

/// Why there is no connection.
pub(crate) enum Unable {
    /// It failed.
    Failed(Status),
    /// Somebody is there, and does not speak this protocol.
    Foreign(Status),
}

impl Unable {
    pub(crate) fn status(&self) -> &Status {
        match self {
            Self::Failed(status) | Self::Foreign(status) => status,
        }
    }

    fn map(self, change: impl FnOnce(Status) -> Status) -> Self {
        match self {
            Self::Failed(status) => Self::Failed(change(status)),
            Self::Foreign(status) => Self::Foreign(change(status)),
        }
    }
}

/// Connects, and waits for the server's preface: a port where something else listens is found out here, and fails no call.
///
/// # Errors
/// UNAVAILABLE, reason `CONNECT_FAILED`, not processed.
pub(crate) async fn establish(
    address: &Address,
    connector: &dyn Connect,
    config: &ClientConfig,
    changed: &Arc<Notify>,
) -> Result<(Arc<Connection>, Task), Unable> {
    let making = make(address, connector, config, changed);
    match tokio::time::timeout(config.connect_timeout, making).await {
        Ok(made) => made,
        Err(_) => Err(Unable::Failed(failed(format!(
            "nothing came of it within {:?}",
            config.connect_timeout
        )))),
    }
    .map_err(|unable| unable.map(|status| status.at_side(Side::Network).at_addresses(None, Some(address))))
}

async fn make(
    address: &Address,
    connector: &dyn Connect,
    config: &ClientConfig,
    changed: &Arc<Notify>,
) -> Result<(Arc<Connection>, Task), Unable> {
    let dialed = connector.connect(address).await.map_err(|status| {
        // A TLS server that knows none of what was offered says so in its handshake.
        if status.message().contains("NoApplicationProtocol")
            || status.message().contains("no protocol by ALPN")
        {
            Unable::Foreign(status)
        } else {
            Unable::Failed(status)
        }
    })?;
    if let Some(alpn) = dialed.alpn.as_deref().filter(|alpn| *alpn != ALPN) {
        let alpn = String::from_utf8_lossy(alpn);
        let text = format!("TLS agreed on `{}`", alpn.escape_default());
        return Err(Unable::Foreign(failed(text)));
    }
    let mut io = dialed.io;
    let mut ours = BytesMut::new();
    config.settings().encode(&mut ours);
    let mut theirs = BytesMut::new();
    let spoken = async {
        io.write_all(&ours).await?;
        io.flush().await?;
        loop {
            match preface::decode(&theirs) {
                Ok(Some((peer, length))) => return Ok(Ok((peer, length))),
                Err(no) => return Ok(Err(no)),
                // The peer hung up without a word of this protocol.
                Ok(None) if io.read_buf(&mut theirs).await? == 0 => return Ok(Err(NoPreface::Foreign)),
                Ok(None) => {}
            }
        }
    };
    let peer = match spoken.await {
        Ok(Ok((peer, length))) => {
            let _ = theirs.split_to(length);
            peer
        }
        Ok(Err(NoPreface::Version)) => {
            return Err(Unable::Foreign(failed(
                "the peer speaks no version of this protocol that is known here",
            )));
        }
        Ok(Err(NoPreface::Foreign)) => {
            return Err(Unable::Foreign(failed("the peer does not speak this protocol")));
        }
        Ok(Err(NoPreface::Broken)) => return Err(Unable::Failed(failed("the peer's preface is malformed"))),
        Err(error) if is_hang_up(&error) => {
            return Err(Unable::Foreign(failed(format!(
                "the peer does not speak this protocol: {error}"
            ))));
        }
        Err(error) => return Err(Unable::Failed(failed(error.to_string()))),
    };
    let connection = Arc::new(Connection {
        slab: Slab::new(peer.max_calls),
        hub: Arc::new(Hub::new(&config.limits(), peer)),
        local: dialed.local,
        peer: dialed.peer.or_else(|| Some(address.clone())).map(Arc::new),
        io: Mutex::new(io),
        phase: AtomicU8::new(Phase::Open as u8),
        idle: AtomicBool::new(false),
        of_use: AtomicBool::new(false),
        loss: OnceLock::new(),
        alarm: Alarm::new(),
        queued: AtomicU32::new(0),
        freed: Notify::new(),
        changed: Arc::clone(changed),
    });
    let inbox = Inbox::new(theirs, frame_limit(config));
    let task = Task::new(Arc::clone(&connection), inbox, config);
    Ok((connection, task))
}

/// A peer that is told what it does not understand may hang up before it is asked anything.
fn is_hang_up(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// The longest payload that the server may send: a message's piece and metadata, or a failure.
fn frame_limit(config: &ClientConfig) -> usize {
    let Settings { max_frame_bytes, .. } = config.settings();
    max_frame_bytes as usize + config.max_metadata_bytes + crate::FRAME_SLACK_BYTES
}

fn failed(text: impl Into<std::borrow::Cow<'static, str>>) -> Status {
    Status::unavailable(text)
        .with_reason(reason::CONNECT_FAILED)
        .with_domain(reason::DOMAIN)
        .not_processed()
}
