//! The service that the cases are run against.

use std::time::Duration;

use rpc::{
    Code, Metadata, Request, Response, Result, Status, Streaming,
    load::{self, InvalidLoad, LoadReport},
    message::{ReceivedCompressed, SendCompressed, Sender},
    server::{LoadReporter, LoadReporterConfig},
};
use tokio_stream::StreamExt;

use crate::{
    ECHO_INITIAL, ECHO_TRAILING, payload,
    testing::{
        BoolValue, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
        StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
        StreamingOutputCallResponse, TestOrcaReport, TestService,
    },
};

/// The largest response that anybody may ask for, in bytes: a request is no reason to allocate without a bound.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// How many requests are kept before the first is answered.
const MAX_HALF_DUPLEX: usize = 1000;

/// Does what each request asks for.
#[derive(Debug, Clone)]
pub struct Implementation {
    load: LoadReporter,
}

impl Implementation {
    /// With the load reporter of the server that it is for.
    pub fn new() -> Self {
        let mut config = LoadReporterConfig::default();
        // Callers say what the load is, and expect to be told that and nothing else.
        config.measure = false;
        Self {
            load: LoadReporter::with_config(config),
        }
    }

    /// What the server reports.
    pub fn load(&self) -> &LoadReporter {
        &self.load
    }
}

impl Default for Implementation {
    fn default() -> Self {
        Self::new()
    }
}

impl TestService for Implementation {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>> {
        check_compressed(&request, request.message().expect_compressed)?;
        let (initial, trailing) = echoes(request.metadata());
        let message = request.into_inner();
        fail_if_asked(message.response_status.as_ref())?;
        let body = sized(message.response_size)?;
        let mut response = Response::new(SimpleResponse {
            payload: Some(body),
            username: if message.fill_username {
                "interop".to_owned()
            } else {
                String::new()
            },
            server_id: if message.fill_server_id {
                "rpc".to_owned()
            } else {
                String::new()
            },
            ..Default::default()
        });
        *response.metadata_mut() = initial;
        *response.trailers_mut() = trailing;
        if let Some(asked) = message.orca_per_query_report {
            let encoded = report_of_one_call(&asked).map_err(invalid)?.encode();
            let inserted = response.trailers_mut().insert_bin(load::TRAILER, encoded);
            inserted.map_err(|error| Status::internal(error.to_string()))?;
        }
        if let Some(compressed) = message.response_compressed {
            response
                .extensions_mut()
                .insert(SendCompressed::new(compressed.value));
        }
        Ok(response)
    }

    async fn cacheable_unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>> {
        let mut response = self.unary_call(request).await?;
        let immutable = response
            .metadata_mut()
            .insert("cache-control", "max-age=60, public");
        immutable.map_err(|error| Status::internal(error.to_string()))?;
        Ok(response)
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>> {
        let (initial, trailing) = echoes(request.metadata());
        let (sender, responses) = Streaming::channel(1);
        rpc::spawn(answer(request.into_inner(), sender));
        Ok(streamed(responses, initial, trailing))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>> {
        let compressed = request.extensions().get::<ReceivedCompressed>().cloned();
        let mut requests = request.into_inner();
        let mut sum = 0;
        while let Some(message) = requests.message().await? {
            let was_compressed = compressed.as_ref().is_some_and(ReceivedCompressed::get);
            check_flag(was_compressed, message.expect_compressed)?;
            sum += message.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(sum).unwrap_or(i32::MAX);
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size,
        }))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>> {
        let (initial, trailing) = echoes(request.metadata());
        let mut requests = request.into_inner();
        let (sender, responses) = Streaming::channel(1);
        let load = self.load.clone();
        rpc::spawn(async move {
            loop {
                match requests.message().await {
                    Ok(Some(message)) => {
                        if let Some(asked) = &message.orca_oob_report
                            && let Err(error) = report_from_now_on(&load, asked)
                        {
                            return sender.fail(invalid(error));
                        }
                        let Some(()) = answer(message, sender.clone()).await else {
                            return;
                        };
                    }
                    Ok(None) => return,
                    Err(status) => return sender.fail(status),
                }
            }
        });
        Ok(streamed(responses, initial, trailing))
    }

    async fn half_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>> {
        let (initial, trailing) = echoes(request.metadata());
        let mut requests = request.into_inner();
        let mut all = Vec::new();
        while let Some(message) = requests.message().await? {
            if all.len() == MAX_HALF_DUPLEX {
                return Err(Status::resource_exhausted(format!(
                    "more than {MAX_HALF_DUPLEX} requests"
                )));
            }
            all.push(message);
        }
        let (sender, responses) = Streaming::channel(1);
        rpc::spawn(async move {
            for message in all {
                let Some(()) = answer(message, sender.clone()).await else {
                    return;
                };
            }
        });
        Ok(streamed(responses, initial, trailing))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>> {
        Err(Status::unimplemented("this one is left out"))
    }
}

/// The report that a call asks for as its own.
fn report_of_one_call(asked: &TestOrcaReport) -> Result<LoadReport, InvalidLoad> {
    let mut report = LoadReport::new();
    report.set_cpu_utilization(asked.cpu_utilization)?;
    report.set_mem_utilization(asked.memory_utilization)?;
    for (name, cost) in &asked.request_cost {
        report.set_request_cost(name, *cost)?;
    }
    for (name, share) in &asked.utilization {
        report.set_utilization(name, *share)?;
    }
    Ok(report)
}

/// Makes the server report what a stream asks for.
fn report_from_now_on(load: &LoadReporter, asked: &TestOrcaReport) -> Result<(), InvalidLoad> {
    load.set_cpu_utilization(asked.cpu_utilization)?;
    load.set_mem_utilization(asked.memory_utilization)?;
    for (name, share) in &asked.utilization {
        load.set_utilization(name, *share)?;
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "given to `map_err`")]
fn invalid(error: InvalidLoad) -> Status {
    Status::invalid_argument(error.to_string())
}

/// Sends what one request asks for; `None` once nobody reads any more, or the stream has failed.
async fn answer(
    request: StreamingOutputCallRequest,
    sender: Sender<(bool, StreamingOutputCallResponse)>,
) -> Option<()> {
    if let Err(status) = fail_if_asked(request.response_status.as_ref()) {
        sender.fail(status);
        return None;
    }
    for parameters in request.response_parameters {
        let ResponseParameters {
            size,
            interval_us,
            compressed,
        } = parameters;
        if let Ok(interval @ 1..) = u64::try_from(interval_us) {
            tokio::time::sleep(Duration::from_micros(interval)).await;
        }
        let body = match sized(size) {
            Ok(body) => body,
            Err(status) => {
                sender.fail(status);
                return None;
            }
        };
        let compressed = compressed.is_some_and(|compressed| compressed.value);
        sender
            .send((compressed, StreamingOutputCallResponse { payload: Some(body) }))
            .await
            .ok()?;
    }
    Some(())
}

/// The response of a stream whose items say whether they are to be compressed.
fn streamed(
    responses: Streaming<(bool, StreamingOutputCallResponse)>,
    initial: Metadata,
    trailing: Metadata,
) -> Response<Streaming<StreamingOutputCallResponse>> {
    let switch = SendCompressed::new(false);
    let of_item = switch.clone();
    let messages = responses.map(move |item| {
        item.map(|(compressed, message)| {
            of_item.set(compressed);
            message
        })
    });
    let mut response = Response::new(Streaming::new(messages).with_trailers(trailing));
    *response.metadata_mut() = initial;
    response.extensions_mut().insert(switch);
    response
}

/// What the request's metadata asks to be sent back, before and after the messages.
fn echoes(metadata: &Metadata) -> (Metadata, Metadata) {
    let (mut initial, mut trailing) = (Metadata::new(), Metadata::new());
    for (key, value) in metadata.iter() {
        match key.as_str() {
            ECHO_INITIAL => initial.push(key.clone(), value.clone()),
            ECHO_TRAILING => trailing.push(key.clone(), value.clone()),
            _ => {}
        }
    }
    (initial, trailing)
}

fn fail_if_asked(status: Option<&EchoStatus>) -> Result<()> {
    match status.map(|status| (u32::try_from(status.code).unwrap_or(2), &status.message)) {
        None | Some((0, _)) => Ok(()),
        Some((code, message)) => Err(Status::new(Code::from_u32(code), message.clone())),
    }
}

fn check_compressed<T>(request: &Request<T>, expected: Option<BoolValue>) -> Result<()> {
    let was_compressed = request
        .extensions()
        .get::<ReceivedCompressed>()
        .is_some_and(ReceivedCompressed::get);
    check_flag(was_compressed, expected)
}

fn check_flag(was_compressed: bool, expected: Option<BoolValue>) -> Result<()> {
    match expected {
        Some(expected) if expected.value != was_compressed => Err(Status::invalid_argument(format!(
            "the message was {}compressed, and it said otherwise",
            if was_compressed { "" } else { "not " }
        ))),
        _ => Ok(()),
    }
}

fn sized(size: i32) -> Result<Payload> {
    match usize::try_from(size) {
        Ok(size) if size <= MAX_RESPONSE_BYTES => Ok(payload(size)),
        _ => Err(Status::invalid_argument(format!(
            "a response of {size} bytes: 0 to {MAX_RESPONSE_BYTES} can be had"
        ))),
    }
}
