//! The body that HTTP layers see.

use std::{
    fmt,
    pin::Pin,
    task::{Context as Poller, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use rpc_core::BoxError;

/// The body of a request or of a response as HTTP layers see it: DATA as it comes, and trailers.
///
/// What is inside is gRPC's frames; a layer may count them, bound them or look at their end. The default is an empty one.
#[derive(Default)]
pub struct HttpBody(Repr);

type Erased = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

#[derive(Default)]
enum Repr {
    #[default]
    Empty,
    /// A text, which ends it.
    Whole(Bytes),
    /// Trailers alone.
    Trailers(HeaderMap),
    Body(Erased),
}

impl HttpBody {
    /// Of any body.
    pub fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // A body that passes a layer unchanged is not boxed again.
        let mut body = Some(body);
        if let Some(same) = (&mut body as &mut dyn std::any::Any).downcast_mut::<Option<Self>>() {
            return same.take().unwrap_or_default();
        }
        Self(body.map_or(Repr::Empty, |body| Repr::Body(Box::pin(Mapped(Box::pin(body))))))
    }

    pub(super) fn whole(text: Option<&'static str>) -> Self {
        Self(text.map_or(Repr::Empty, |text| {
            Repr::Whole(Bytes::from_static(text.as_bytes()))
        }))
    }

    pub(super) fn trailers(trailers: HeaderMap) -> Self {
        Self(Repr::Trailers(trailers))
    }
}

impl Body for HttpBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Repr::Body(body) = &mut self.0 {
            return body.as_mut().poll_frame(cx);
        }
        Poll::Ready(match std::mem::take(&mut self.0) {
            Repr::Whole(bytes) => Some(Ok(Frame::data(bytes))),
            Repr::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            Repr::Empty | Repr::Body(_) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Repr::Empty => true,
            Repr::Whole(_) | Repr::Trailers(_) => false,
            Repr::Body(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Repr::Empty | Repr::Trailers(_) => SizeHint::with_exact(0),
            Repr::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Repr::Body(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBody")
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}

/// A body with its data as `Bytes` and its error boxed.
struct Mapped<B>(Pin<Box<B>>);

impl<B> Body for Mapped<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.0.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
            Err(error) => Err(error.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
