//! Learns how an endpoint does from the calls that go there.
//!
//! # Position
//! Right below the pick: what is learnt is of one attempt at one endpoint, whatever is done around it.
//!
//! # Load reports
//! What an answer, or a failure, says of the load of its endpoint in its trailers is handed on to the endpoint.
//!
//! # Streams
//! A call whose answer is a stream is in flight until the stream has ended or is dropped, and that end says how it went: a
//! stream that is dropped before its deadline went well. Its latency is that of the head. In process a stream is handed over to the
//! caller as it is, and counts until its head is there. A call whose request is a stream has no latency: it is answered once its
//! caller has sent enough.
//!
//! # In process
//! A call to the only endpoint that there is, in this very process, is not counted: there is nobody who could take over, and no
//! connection that could be sick.

use std::sync::Arc;

use futures_util::future::Either;
use rpc_core::{
    Body, Call, Reply, Status,
    context::Deadline,
    status::{Classify, Verdict},
};
use tokio::time::Instant;
use tower_layer::Layer;

use super::{EndpointStage, Picked, watched::watched};
use crate::{Endpoint, endpoint::InFlight};

/// Makes [`Measure`] of an [`EndpointStage`].
#[derive(Debug, Clone, Copy)]
pub struct MeasureLayer {
    classify: Classify,
}

impl MeasureLayer {
    /// Judges by [`Verdict::of`].
    pub fn new() -> Self {
        Self {
            classify: Verdict::of,
        }
    }

    /// Judges otherwise.
    pub fn with_classify(mut self, classify: Classify) -> Self {
        self.classify = classify;
        self
    }
}

impl Default for MeasureLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure {
            inner,
            classify: self.classify,
        }
    }
}

/// Counts calls at their endpoint, and tells it how they ended: made by [`MeasureLayer`].
#[derive(Debug, Clone)]
pub struct Measure<S> {
    inner: S,
    classify: Classify,
}

impl<S: EndpointStage> EndpointStage for Measure<S> {
    fn call<'a>(
        &'a self,
        picked: &'a Picked,
        call: &'a mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Status>> + Send {
        let is_alone = !picked.has_choice && picked.endpoint.link().in_process().is_some();
        if is_alone {
            Either::Left(self.inner.call(picked, call))
        } else {
            Either::Right(self.measured(picked, call))
        }
    }
}

impl<S: EndpointStage> Measure<S> {
    async fn measured(&self, picked: &Picked, call: &mut Call<'_>) -> Result<Reply, Status> {
        let attempt = Attempt::begin(picked, call);
        let mut result = self.inner.call(picked, call).await;
        let in_flight = attempt.over();
        if let Ok(Reply {
            body: body @ Body::Incoming(_),
            ..
        }) = &mut result
            && call.method.shape().streams_responses()
        {
            let in_flight = in_flight.shared_by(Arc::clone(&picked.endpoint));
            let stream = std::mem::replace(body, Body::Empty);
            *body = watched(stream, &picked.endpoint, in_flight, self.classify);
            return result;
        }
        match &result {
            Ok(reply) => picked.endpoint.hear(&reply.trailers),
            Err(status) => picked.endpoint.hear(status.metadata()),
        }
        let verdict = (self.classify)(result.as_ref().map(drop));
        in_flight.end(verdict, Instant::now);
        result
    }
}

/// The guard of a call until its answer is there. Small, because the future of each call carries it.
struct Attempt<'p> {
    picked: &'p Picked,
    deadline: Option<Deadline>,
    streams_requests: bool,
}

impl<'p> Attempt<'p> {
    fn begin(picked: &'p Picked, call: &Call<'_>) -> Self {
        picked.endpoint.stats().begin();
        Self {
            picked,
            deadline: call.context.deadline(),
            streams_requests: call.method.shape().streams_requests(),
        }
    }

    /// What is left is to say how it ended.
    fn over(self) -> InFlight<&'p Endpoint> {
        let in_flight = self.in_flight();
        // It owns nothing; dropped, it would end the call a second time.
        std::mem::forget(self);
        in_flight
    }

    fn in_flight(&self) -> InFlight<&'p Endpoint> {
        let endpoint: &Endpoint = &self.picked.endpoint;
        let in_flight = InFlight::resume(endpoint, self.picked.started, self.deadline);
        if self.streams_requests {
            in_flight.without_latency()
        } else {
            in_flight
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        drop(self.in_flight());
    }
}
