//! From a byte stream to a connection that takes calls.

use std::sync::{Arc, Mutex, OnceLock, atomic::AtomicBool};

use bytes::BytesMut;
use rpc_core::{
    net::Address,
    transport::{
        connection::Alarm,
        supervise::{Life, Unable},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Connection, Line, Task};
use crate::{
    ALPN,
    client::{ClientConfig, protocol::Framed, slab::Slab},
    io::Inbox,
    stream::Hub,
    wire::{
        goaway, kind,
        preface::{self, NoPreface, Settings},
    },
};

/// Connects, and waits for the server's preface: a port where something else listens is found out here, and fails no call.
pub(crate) async fn establish(
    framed: &Framed,
    address: &Address,
    life: Life,
) -> Result<(Arc<Connection>, Task), Unable> {
    let config = &*framed.config;
    let dialed = framed.connector.connect(address).await.map_err(|status| {
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
        return Err(Unable::foreign(format!(
            "TLS agreed on `{}`",
            alpn.escape_default()
        )));
    }
    let mut io = dialed.io;
    let mut ours = BytesMut::new();
    config.settings().encode(&mut ours);
    let mut theirs = BytesMut::new();
    let spoken = async {
        // A server that has hung up may have said why before.
        let said = match io.write_all(&ours).await {
            Ok(()) => io.flush().await,
            failed => failed,
        };
        if let Err(error) = said
            && !is_hang_up(&error)
        {
            return Err(error);
        }
        loop {
            match preface::decode(&theirs) {
                Ok(Some((peer, length))) => return Ok(Ok((peer, length))),
                Err(no) => return Ok(Err(no)),
                Ok(None) if io.read_buf(&mut theirs).await? == 0 => {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
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
            return Err(Unable::foreign(
                "the peer speaks no version of this protocol that is known here",
            ));
        }
        Ok(Err(NoPreface::Foreign)) => {
            return Err(Unable::foreign("the peer does not speak this protocol"));
        }
        Ok(Err(NoPreface::Broken)) => return Err("the peer's preface is malformed".into()),
        Err(error) if is_hang_up(&error) && theirs.is_empty() => {
            let text =
                format!("the peer hung up without a word, as if it does not speak this protocol: {error}");
            return Err(Unable::silent(text));
        }
        Err(error) if is_hang_up(&error) => {
            return Err(Unable::foreign(format!(
                "the peer does not speak this protocol: {error}"
            )));
        }
        Err(error) => return Err(error.to_string().into()),
    };
    let mut inbox = Inbox::new(theirs, frame_limit(config));
    if let Ok(Some(head)) = inbox.head()
        && head.kind == kind::GOAWAY
    {
        return Err(sent_away(&inbox.take(&head, 0)).into());
    }
    let connection = Arc::new(Connection {
        slab: Slab::new(peer.max_calls),
        hub: Arc::new(Hub::new(&config.limits(), peer)),
        local: dialed.local,
        peer: dialed.peer.or_else(|| Some(address.clone())).map(Arc::new),
        io: Mutex::new(io),
        fails_late: dialed.fails_late,
        life,
        of_use: AtomicBool::new(false),
        loss: OnceLock::new(),
        alarm: Alarm::new(),
        line: Line::default(),
    });
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

/// Why a server takes no calls, from the payload of its GOAWAY.
fn sent_away(payload: &[u8]) -> String {
    let why = payload.get(8..).and_then(<[u8]>::split_first_chunk::<2>);
    match why {
        Some((why, text)) if u16::from_le_bytes(*why) != goaway::STOPPING => {
            let text = String::from_utf8_lossy(&text[..text.len().min(256)]);
            format!("the server closes it: {text}")
        }
        _ => "the server goes away, and takes no calls".to_owned(),
    }
}
