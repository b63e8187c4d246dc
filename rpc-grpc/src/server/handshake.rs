//! The beginning of a connection, and what is told to the peer in it.

use std::{pin::Pin, time::Duration};

use super::{
    conn::Conn,
    connection::{H2, ServerIo},
};
use crate::{
    io::{Flusher, Gather},
    wire::tolerance,
};

/// How long a stream that was reset is remembered, as that of an upload which was answered before its end. What its client
/// has sent meanwhile is passed over.
const REMEMBERED: Duration = Duration::from_secs(30);

/// How many of them. Each costs some hundred bytes.
const MAX_REMEMBERED: usize = 1024;

/// Speaks first, and waits for the peer's preface. It has no bound in time.
pub(super) async fn handshake(
    io: Gather<ServerIo>,
    flusher: &Flusher<ServerIo>,
    conn: &Conn,
) -> Result<H2, h2::Error> {
    let config = &conn.config;
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(config.max_concurrent_streams)
        // Ours is checked first and answers with a status; h2's own limit answers 431, and four times that ends the
        // connection.
        .max_header_list_size(config.max_metadata_bytes.saturating_mul(4))
        .max_frame_size(config.max_frame_bytes)
        .initial_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .max_send_buffer_size(config.send_buffer_bytes)
        .max_pending_accept_reset_streams(config.max_pending_resets)
        .max_concurrent_reset_streams(MAX_REMEMBERED)
        .reset_stream_duration(REMEMBERED)
        .max_local_error_reset_streams(Some(tolerance::MAX_LATE_FRAMES))
        .data_frame_budget(tolerance::small_frames_bytes(config.connection_window_bytes));
    let mut handshake = builder.handshake(io);
    std::future::poll_fn(|cx| {
        let polled = Pin::new(&mut handshake).poll(cx);
        // Our settings go out before the peer's are awaited. If that fails, reading will as well.
        let _ = flusher.poll_flush(cx);
        polled
    })
    .await
}
