//! An answer that is a stream, counted until it ends.

use std::{
    sync::Arc,
    task::{Context as Poller, Poll, ready},
};

use bytes::Bytes;
use rpc_core::{Body, Metadata, Status, message::Incoming, status::Classify};
use tokio::time::Instant;

use crate::endpoint::{Endpoint, InFlight};

/// The same body, whose end tells the endpoint how the call went. Its head is there now.
pub(super) fn watched(
    body: Body<'static>,
    endpoint: &Arc<Endpoint>,
    mut in_flight: InFlight<Arc<Endpoint>>,
    classify: Classify,
) -> Body<'static> {
    let Body::Incoming(stream) = body else {
        return body;
    };
    in_flight.head(Instant::now);
    Body::Incoming(Box::new(Watched {
        stream: Some(stream),
        endpoint: Arc::clone(endpoint),
        in_flight: Some(in_flight),
        classify,
    }))
}

struct Watched {
    /// None once it was detached.
    stream: Option<Box<dyn Incoming>>,
    endpoint: Arc<Endpoint>,
    /// None once it has ended. Dropped, the reader has had enough.
    in_flight: Option<InFlight<Arc<Endpoint>>>,
    classify: Classify,
}

impl Incoming for Watched {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        let item = ready!(stream.poll_message(cx));
        let end = match &item {
            None => Ok(()),
            Some(Err(status)) => {
                self.endpoint.hear(status.metadata());
                Err(status)
            }
            Some(Ok(_)) => return Poll::Ready(item),
        };
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.end((self.classify)(end), Instant::now);
        }
        Poll::Ready(item)
    }

    fn take_trailers(&mut self) -> Metadata {
        let stream = self.stream.as_mut();
        let trailers = stream.map_or_else(Metadata::new, |stream| stream.take_trailers());
        self.endpoint.hear(&trailers);
        trailers
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self {
            stream: self.stream.take(),
            endpoint: Arc::clone(&self.endpoint),
            in_flight: self.in_flight.take(),
            classify: self.classify,
        })
    }
}
