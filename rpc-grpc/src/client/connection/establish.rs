//! From a byte stream to a connection that takes calls.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU8, AtomicU32},
    },
    task::Poll,
    time::Duration,
};

use rpc_core::{
    net::Address,
    transport::supervise::{Life, Unable},
};

use super::{Connection, Driver, Resets, Sender, Slots, Timeouts};
use crate::{
    client::{ClientConfig, protocol::Grpc},
    io::gather,
    wire::{frame::Data, tolerance},
};

/// What h2 is told that the server allows before the server has said it. No server says this, so that seeing another number
/// means that its SETTINGS are here. No stream is opened before.
const UNKNOWN_STREAMS: usize = usize::MAX - 1;

/// How many times our bound for metadata h2 is told, and at least how many bytes. What is beyond that it drops, of trailers
/// without a word: their status may be lost. It gives up the *connection* for a block of four times of what it is told. We want
/// to see that a block is too large, and to give up the call alone.
///
/// The least, in frames and in bytes, is so much because h2 counts frames, too: it bears a quarter more CONTINUATIONs than there
/// would be if they were of `max_frame_bytes`, and some servers write none above 16 KiB.
const HEADER_SLACK: usize = 4;
const LEAST_HEADER_FRAMES: usize = 16;
const LEAST_HEADER_BYTES: usize = 4 << 20;

/// How long a stream that was reset is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Connects, and waits for the server's SETTINGS: a port where something else listens is found out here, and fails no call
/// as a server's error.
pub(crate) async fn establish(
    grpc: &Grpc,
    address: &Address,
    life: Life,
) -> Result<(Arc<Connection>, Driver), Unable> {
    let config = &grpc.config;
    let dialed = grpc.connector.connect(address).await?;
    if let Some(alpn) = dialed.alpn.as_deref().filter(|alpn| *alpn != b"h2") {
        let alpn = String::from_utf8_lossy(alpn).escape_default().to_string();
        return Err(format!("TLS agreed on `{alpn}`, which is not HTTP/2").into());
    }
    let (io, flusher) = gather(dialed.io);
    let handshake = builder(config).handshake::<_, Data>(io).await;
    let (requests, mut connection) = handshake.map_err(|error| no_http2(&error))?;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.poll_unpin(cx) {
            return Poll::Ready(Err(match ended {
                Ok(()) => "the peer closed the connection before it said that it speaks HTTP/2".into(),
                Err(error) => no_http2(&error),
            }));
        }
        if let Poll::Ready(Err(error)) = flusher.poll_flush(cx) {
            return Poll::Ready(Err(format!("writing failed: {error}").into()));
        }
        if requests.current_max_send_streams() == UNKNOWN_STREAMS {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    })
    .await?;
    let shared = Arc::new(Connection {
        local: dialed.local,
        peer: dialed.peer.or_else(|| Some(address.clone())).map(Arc::new),
        slots: Slots::new(requests.current_max_send_streams()),
        writes: flusher.write_counter(),
        timeouts: Timeouts::default(),
        resets: Resets::new(),
        sender: Mutex::new(Sender {
            requests: Some(requests.clone()),
        }),
        opened: AtomicU32::new(0),
        life,
        refused_compressions: AtomicU8::new(0),
        max_given_up: config.max_cancelled_calls,
        loss: OnceLock::new(),
        driver: Mutex::default(),
    });
    let driver = Driver::new(
        connection,
        flusher,
        requests,
        Arc::clone(&shared),
        config,
        Arc::clone(&grpc.complaints),
    );
    Ok((shared, driver))
}

fn builder(config: &ClientConfig) -> h2::client::Builder {
    let header_list = config
        .max_metadata_bytes
        .saturating_mul(HEADER_SLACK)
        .max(LEAST_HEADER_BYTES)
        .max(LEAST_HEADER_FRAMES * config.max_frame_bytes as usize)
        .min(u32::MAX as usize);
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .max_frame_size(config.max_frame_bytes)
        .max_header_list_size(header_list as u32)
        .max_concurrent_reset_streams(config.max_remembered_resets)
        .reset_stream_duration(REMEMBERED)
        .max_local_error_reset_streams(Some(tolerance::MAX_LATE_FRAMES))
        .data_frame_budget(tolerance::small_frames_bytes(config.connection_window_bytes))
        .initial_max_send_streams(UNKNOWN_STREAMS)
        // A large message is one piece, and it is in memory anyway.
        .max_send_buffer_size(1 << 20)
        .enable_push(false);
    builder
}

fn no_http2(error: &h2::Error) -> Unable {
    format!("the peer does not speak HTTP/2, or closed the connection: {error}").into()
}

/// Polls a future that does not mind being moved.
trait PollUnpin: Future + Unpin {
    fn poll_unpin(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        std::pin::Pin::new(self).poll(cx)
    }
}

impl<F: Future + Unpin> PollUnpin for F {}
