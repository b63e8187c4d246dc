//! The service that streams reports: `xds.service.orca.v3.OpenRcaService`.

use std::{sync::Arc, time::Duration};

use futures_util::stream::unfold;
use rpc_core::{
    Call, CallFuture, Response, ServiceDescriptor, Status, Streaming,
    load::wire::{OPEN_RCA_SERVICE, OrcaLoadReport, STREAM_CORE_METRICS},
    server::{Service, server_streaming},
    status::reason,
};
use tokio::{sync::watch, time::sleep};

use super::{LoadReporter, reporter::Shared};

/// Streams the reports of a [`LoadReporter`]: one at once, and then one in each interval that the reader asks for, or in
/// each [`min_stream_interval`](super::LoadReporterConfig::min_stream_interval) if it asks for less or for nothing.
///
/// A reader that is slow skips reports. The stream ends with UNAVAILABLE when the server stops.
#[derive(Debug)]
pub struct LoadService(LoadReporter);

impl LoadService {
    /// Of a reporter.
    pub fn new(reporter: LoadReporter) -> Self {
        Self(reporter)
    }

    fn stream(&self, asked: Option<Duration>) -> Streaming<OrcaLoadReport> {
        let reporter = self.0.clone();
        reporter.0.stream(true);
        let reports = Reports {
            interval: reporter.0.config.stream_interval(asked),
            pause: None,
            over: reporter.0.over.subscribe(),
            _open: Open(Arc::clone(&reporter.0)),
            reporter,
        };
        Streaming::new(unfold(Some(reports), async |reports| {
            let mut reports = reports?;
            match reports.next().await {
                Ok(report) => Some((Ok(report), Some(reports))),
                Err(status) => Some((Err(status), None)),
            }
        }))
    }
}

impl Service for LoadService {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &OPEN_RCA_SERVICE
    }

    fn call<'a>(&'a self, _: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        server_streaming(&STREAM_CORE_METRICS, call, async move |request| {
            Ok(Response::new(self.stream(request.into_inner().interval())))
        })
    }
}

/// One stream.
struct Reports {
    reporter: LoadReporter,
    interval: Duration,
    /// `None` before the first report.
    pause: Option<()>,
    over: watch::Receiver<bool>,
    _open: Open,
}

impl Reports {
    async fn next(&mut self) -> Result<OrcaLoadReport, Status> {
        let pause = match self.pause.replace(()) {
            None => Duration::ZERO,
            Some(()) => self.interval,
        };
        tokio::select! {
            biased;
            // A reporter that is gone says nothing more either.
            _ = self.over.wait_for(|over| *over) => Err(Status::unavailable("the server is shutting down")
                .with_reason(reason::DRAINING)
                .with_domain(reason::DOMAIN)),
            () = sleep(pause) => Ok(self.reporter.report().to_message()),
        }
    }
}

/// Counts as a stream while it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.stream(false);
    }
}
