//! The service itself, as `#[rpc::service]` would write it.
//!
//! Written by hand because the macro makes services that are offered in several codecs, from types of a user's crate;
//! this one speaks protobuf alone.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use rpc_core::{
    BoxFuture, Call, CallFuture, Response, ServiceDescriptor, Status, Streaming,
    health::{CHECK, CheckResponse, HEALTH, LIST, ListResponse, WATCH, WireStatus},
    server::{Service, server_streaming, unary},
    status::reason,
};
use tokio::sync::watch;

use super::{HealthReporter, ServingStatus, reporter::Table};

/// `List` answers with so many names at most.
const LIST_LIMIT: usize = 100;

/// A watch does not keep a name that is longer: no service has such a name, and a peer pays nothing for our memory.
const LONGEST_NAME_BYTES: usize = 1024;

/// Answers from what a [`HealthReporter`] was told.
#[derive(Debug)]
pub(in crate::server) struct HealthService(HealthReporter);

impl HealthService {
    pub(in crate::server) fn new(reporter: HealthReporter) -> Self {
        Self(reporter)
    }

    fn check(&self, service: &str) -> Result<Response<CheckResponse>, Status> {
        match self.0.get(service) {
            Some(status) => Ok(Response::new(WireStatus::from(status).into())),
            None => Err(Status::not_found("no service of that name is known here")),
        }
    }

    fn watch(&self, service: String) -> Response<Streaming<CheckResponse>> {
        let service = Some(service).filter(|name| name.len() <= LONGEST_NAME_BYTES);
        Response::new(Streaming::new(Watch::new(service, self.0.subscribe())))
    }

    fn list(&self) -> Result<Response<ListResponse>, Status> {
        let Some(statuses) = self.0.list(LIST_LIMIT) else {
            return Err(Status::resource_exhausted(format!(
                "more than {LIST_LIMIT} services are known here"
            )));
        };
        let statuses = statuses
            .into_iter()
            .map(|(name, status)| (name, WireStatus::from(status).into()))
            .collect();
        Ok(Response::new(ListResponse { statuses }))
    }
}

impl Service for HealthService {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &HEALTH
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        match method {
            0 => unary(&CHECK, call, async move |request| {
                self.check(&request.into_inner().service)
            }),
            1 => server_streaming(&WATCH, call, async move |request| {
                Ok(self.watch(request.into_inner().service))
            }),
            _ => unary(&LIST, call, async move |_| self.list()),
        }
    }
}

impl From<ServingStatus> for WireStatus {
    fn from(status: ServingStatus) -> Self {
        match status {
            ServingStatus::Serving => Self::Serving,
            ServingStatus::NotServing => Self::NotServing,
        }
    }
}

/// What a watch sends: the status at once, and then whenever it is another.
struct Watch {
    changed: BoxFuture<'static, watch::Receiver<Table>>,
    /// `None` is a name that nothing has.
    service: Option<String>,
    sent: Option<WireStatus>,
}

impl Watch {
    fn new(service: Option<String>, receiver: watch::Receiver<Table>) -> Self {
        Self {
            changed: Box::pin(std::future::ready(receiver)),
            service,
            sent: None,
        }
    }

    fn status(&self, table: &Table) -> WireStatus {
        let known = self.service.as_deref().and_then(|service| table.get(service));
        known.map_or(WireStatus::ServiceUnknown, WireStatus::from)
    }
}

impl Stream for Watch {
    type Item = Result<CheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let mut receiver = ready!(self.changed.as_mut().poll(cx));
            let (status, ended) = {
                let table = receiver.borrow_and_update();
                (self.status(&table), table.has_ended())
            };
            let news = self.sent != Some(status);
            // The one before is done, and must not be asked again.
            self.changed = if news && ended {
                // The end comes right after the news, without a further change.
                Box::pin(std::future::ready(receiver))
            } else {
                Box::pin(next_change(receiver))
            };
            if news {
                self.sent = Some(status);
                return Poll::Ready(Some(Ok(status.into())));
            }
            if ended {
                return Poll::Ready(Some(Err(Status::unavailable("the server is shutting down")
                    .with_reason(reason::DRAINING)
                    .with_domain(reason::DOMAIN))));
            }
        }
    }
}

/// Waits for a change. A reporter that is gone reports nothing more.
async fn next_change(mut receiver: watch::Receiver<Table>) -> watch::Receiver<Table> {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    receiver
}
