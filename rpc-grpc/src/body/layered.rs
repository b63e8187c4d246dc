//! The HTTP side: bodies as layers of tower-http see them.

use std::{
    fmt,
    pin::Pin,
    task::{Context as Poller, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use rpc_core::{BoxError, Status};

use super::{ByteSource, H2Source, Part, Parts};
use crate::wire::{frame::Data, status};

/// The body of a request, as HTTP layers see it: DATA as it comes off the stream.
pub(crate) struct RequestBody {
    source: H2Source,
    data_ended: bool,
    ended: bool,
}

impl RequestBody {
    pub(crate) fn new(source: H2Source) -> Self {
        Self {
            source,
            data_ended: false,
            ended: false,
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if !this.data_ended {
            if let Some(data) = ready!(this.source.poll_data(cx)) {
                this.ended = data.is_err();
                return Poll::Ready(Some(data.map(Frame::data)));
            }
            this.data_ended = true;
        }
        let trailers = ready!(this.source.poll_trailers(cx));
        this.ended = true;
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl Part {
    /// The part as a frame of an HTTP body; `None` if it is the mere end.
    pub(crate) fn into_frame(self) -> Option<Frame<Bytes>> {
        match self {
            Self::Last(data) if data.is_empty() => None,
            Self::Data(mut data) | Self::Last(mut data) => Some(Frame::data(data.copy_to_bytes(data.len()))),
            Self::Trailers(trailers) => Some(Frame::trailers(trailers)),
        }
    }
}

/// A body that passed through HTTP layers, as messages are read from it.
pub(crate) struct HttpSource<B> {
    body: Pin<Box<B>>,
    trailers: Option<HeaderMap>,
}

impl<B> HttpSource<B> {
    pub(crate) fn new(body: B) -> Self {
        Self {
            body: Box::pin(body),
            trailers: None,
        }
    }
}

impl<B> ByteSource for HttpSource<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn poll_data(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(mut data) => Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining())))),
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                Poll::Ready(None)
            }
        }
    }

    fn poll_trailers(&mut self, _: &mut Poller<'_>) -> Poll<Result<Option<HeaderMap>, Status>> {
        Poll::Ready(Ok(self.trailers.take()))
    }
}

/// A reply's body that passed through HTTP layers, as it is sent.
pub(crate) struct HttpParts<B> {
    body: Option<Pin<Box<B>>>,
    failure: Option<Status>,
    metadata_limit: usize,
}

impl<B> HttpParts<B> {
    /// Of a failure, metadata goes along as long as all of it takes no more than `metadata_limit` bytes.
    pub(crate) fn new(body: B, metadata_limit: usize) -> Self {
        Self {
            body: Some(Box::pin(body)),
            failure: None,
            metadata_limit,
        }
    }
}

impl<B> Parts for HttpParts<B>
where
    B: Body + Send,
    B::Error: Into<BoxError>,
{
    fn poll_part(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Part, Status>> {
        if let Some(status) = self.failure.take() {
            return Poll::Ready(Ok(failed(&status, self.metadata_limit)));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(Part::Last(Data::default())));
        };
        let part = match ready!(body.as_mut().poll_frame(cx)) {
            None => Ok(Part::Last(Data::default())),
            Some(Err(error)) => Ok(failed(&Status::from_error(error.into()), self.metadata_limit)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    return Poll::Ready(Ok(Part::Data(data.copy_to_bytes(data.remaining()).into())));
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => Ok(Part::Trailers(trailers)),
                    // A kind of frame that does not exist yet.
                    Err(_) => Ok(Part::Data(Data::default())),
                },
            },
        };
        self.body = None;
        Poll::Ready(part)
    }

    fn fail(&mut self, status: Status) {
        self.body = None;
        self.failure = Some(status);
    }
}

fn failed(status: &Status, metadata_limit: usize) -> Part {
    let mut trailers = HeaderMap::new();
    status::write(status, metadata_limit, &mut trailers);
    Part::Trailers(trailers)
}
