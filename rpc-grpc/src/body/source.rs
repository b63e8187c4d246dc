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

/// How much flow control may be owed to the peer. Below that it is not worth the connection's lock, and the end of the
/// stream pays it; it is far too little for a peer, or for many streams together, to stall on.
const OWED_BYTES: u32 = 256;

/// A stream of h2's.
///
/// Flow control is granted anew as DATA is taken off the stream, which happens only when a message is asked for. Waiting
/// until the message is complete was rejected: one larger than the window would never be.
pub(crate) struct H2Source {
    stream: h2::RecvStream,
    perspective: Perspective,
    owed: u32,
}

impl H2Source {
    pub(crate) fn new(stream: h2::RecvStream, perspective: Perspective) -> Self {
        Self {
            stream,
            perspective,
            owed: 0,
        }
    }

    fn take(&mut self, data: &Bytes) {
        // A piece of DATA is no longer than a frame.
        self.owed += data.len() as u32;
        if self.owed > OWED_BYTES {
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
