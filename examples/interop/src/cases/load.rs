//! Load reports: of one call, and over a stream of their own.

use std::time::Duration;

use rpc::{
    Request, Streaming, client,
    load::{
        LoadReport,
        wire::{OrcaLoadReportRequest, STREAM_CORE_METRICS},
    },
    message::Sender,
};

use super::{Outcome, Peer, expect};
use crate::testing::{
    ResponseParameters, SimpleRequest, StreamingOutputCallRequest, TestOrcaReport, TestService,
};

/// A load that no machine has by chance.
fn asked(share: f64, cost: Option<f64>) -> TestOrcaReport {
    TestOrcaReport {
        cpu_utilization: share,
        memory_utilization: share / 2.0,
        request_cost: cost.map(|cost| ("cost".to_owned(), cost)).into_iter().collect(),
        utilization: [("util".to_owned(), share / 4.0)].into(),
    }
}

fn expected(share: f64, cost: Option<f64>) -> Result<LoadReport, rpc::load::InvalidLoad> {
    let mut report = LoadReport::new();
    report.set_cpu_utilization(share)?;
    report.set_mem_utilization(share / 2.0)?;
    report.set_utilization("util", share / 4.0)?;
    if let Some(cost) = cost {
        report.set_request_cost("cost", cost)?;
    }
    Ok(report)
}

/// The report that a call asked for comes in its trailers.
pub(super) async fn orca_per_rpc(peer: Peer) -> Outcome {
    let request = SimpleRequest {
        orca_per_query_report: Some(asked(0.821, Some(3456.32))),
        ..Default::default()
    };
    let response = peer.test.unary_call(Request::new(request)).await?;
    let report = LoadReport::from_trailers(response.trailers()).ok_or("there is no report")??;
    expect("the report", report, expected(0.821, Some(3456.32))?)
}

/// What the server is told to report is the first report of a stream that asks for them. (How often it repeats itself is the
/// server's own choice: 30 s at least, if it is grpc-go's.)
pub(super) async fn orca_oob(peer: Peer) -> Outcome {
    let (sender, requests) = Streaming::channel(1);
    let shares = [0.821, 0.2931];
    // A server may begin its answer with the first message: there is a request before the answer is waited for.
    send(&sender, shares[0]).await?;
    let call = peer.test.full_duplex_call(Request::new(requests));
    let mut answers = call.await?.into_inner();
    for (index, share) in shares.into_iter().enumerate() {
        if index > 0 {
            send(&sender, share).await?;
        }
        answers.message().await?.ok_or("the stream ended")?;
        let every = OrcaLoadReportRequest::every(Duration::from_secs(1));
        let call = client::server_streaming(&peer.channel, &STREAM_CORE_METRICS, Request::new(every));
        let mut reports = call.await?.into_inner();
        let message = reports.message().await?.ok_or("the stream of reports ended")?;
        expect(
            "the report",
            LoadReport::from_message(message)?,
            expected(share, None)?,
        )?;
    }
    Ok(())
}

/// Asks the server to report that, and to say when it does.
async fn send(sender: &Sender<StreamingOutputCallRequest>, share: f64) -> Outcome {
    let request = StreamingOutputCallRequest {
        orca_oob_report: Some(asked(share, None)),
        response_parameters: vec![ResponseParameters {
            size: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    let sent = sender.send(request).await;
    sent.map_err(|_| "nobody reads the requests".into())
}
