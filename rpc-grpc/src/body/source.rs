//! Where DATA and trailers come from.

use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http::HeaderMap;
use rpc_core::Status;

use crate::wire::status::{Perspective, from_h2};

/// DATA and trailers of one direction of a stream.
pub(crate) trait ByteSource: Send + 'static {
    /// The next DATA; `None` at its end, after which trailers may be asked for. It is read, so the peer may send more.
    fn poll_data(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>>;

    /// The trailers, if any; once, after the end of DATA. A stream of h2's may be asked before: it is pending while there is
    /// DATA to read.
    fn poll_trailers(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Option<HeaderMap>, Status>>;
}

/// How much flow control a stream may owe to the peer, at most. Below that it is not worth the connection's lock, and the end
/// of the stream pays it.
const OWED_BYTES: u32 = 256;

/// How much flow control a stream may owe where the windows are so large and so many streams share them: too little for the
/// peer to stall on, also if all of them owe it.
pub(crate) fn owed_bytes(stream_window: u32, connection_window: u32, streams: u32) -> u32 {
    let fair = connection_window / 4 / streams.max(1);
    fair.min(stream_window / 4).min(OWED_BYTES)
}

/// A stream of h2's.
///
/// Flow control is granted anew as DATA is taken off the stream, which happens only when a message is asked for. Waiting
/// until the message is complete was rejected: one larger than the window would never be.
pub(crate) struct H2Source {
    stream: h2::RecvStream,
    perspective: Perspective,
    owed: u32,
    may_owe: u32,
}

impl H2Source {
    /// Of a stream that may owe [so much](owed_bytes).
    pub(crate) fn new(stream: h2::RecvStream, perspective: Perspective, may_owe: u32) -> Self {
        Self {
            stream,
            perspective,
            owed: 0,
            may_owe,
        }
    }

    fn take(&mut self, data: &Bytes) {
        // A piece of DATA is no longer than a frame.
        self.owed += data.len() as u32;
        if self.owed > self.may_owe {
            // It fails only for more than was received, and what is owed was.
            let _ = self
                .stream
                .flow_control()
                .release_capacity(std::mem::take(&mut self.owed) as usize);
        }
    }
}

impl ByteSource for H2Source {
    fn poll_data(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        self.stream.poll_data(cx).map(|item| {
            item.map(|data| match data {
                Ok(data) => {
                    self.take(&data);
                    Ok(data)
                }
                Err(error) => Err(from_h2(&error, self.perspective)),
            })
        })
    }

    fn poll_trailers(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Option<HeaderMap>, Status>> {
        self.stream
            .poll_trailers(cx)
            .map_err(|error| from_h2(&error, self.perspective))
    }
}
