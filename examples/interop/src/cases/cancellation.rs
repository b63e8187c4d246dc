//! Calls that are given up, by the caller or by time.

use std::time::Duration;

use rpc::{Code, Request, Streaming};

use super::{
    Outcome, Peer, expect,
    status::expect_code,
    streaming::{REQUEST_SIZES, RESPONSE_SIZES, ask_for},
};
use crate::{
    payload,
    testing::{Empty, StreamingInputCallRequest, StreamingOutputCallRequest, TestService},
};

/// A call that is dropped before anything was sent. The connection then serves the next one.
pub(super) async fn cancel_after_begin(peer: Peer) -> Outcome {
    let (requests, stream) = Streaming::<StreamingInputCallRequest>::channel(1);
    let stub = peer.test.clone();
    let call = tokio::spawn(async move { stub.streaming_input_call(Request::new(stream)).await });
    tokio::task::yield_now().await;
    call.abort();
    let ended = call.await.err().is_some_and(|error| error.is_cancelled());
    expect("whether the call was given up", ended, true)?;
    // Nobody reads the requests of a call that was given up.
    requests.closed().await;
    peer.test.empty_call(Request::new(Empty {})).await?;
    Ok(())
}

/// A stream that is dropped after its first response. The connection then serves the next call.
pub(super) async fn cancel_after_first_response(peer: Peer) -> Outcome {
    let (requests, stream) = Streaming::channel(1);
    // Before the call: a server may keep its headers for its first message.
    requests
        .send(ask_for(RESPONSE_SIZES[0], REQUEST_SIZES[0]))
        .await
        .map_err(|_| "the stream is closed")?;
    let mut responses = peer
        .test
        .full_duplex_call(Request::new(stream))
        .await?
        .into_inner();
    let first = responses.message().await?.ok_or("the stream ended early")?;
    expect(
        "the payload",
        first.payload,
        Some(payload(RESPONSE_SIZES[0].unsigned_abs() as usize)),
    )?;
    drop(responses);
    requests.closed().await;
    peer.test.empty_call(Request::new(Empty {})).await?;
    Ok(())
}

/// A stream with a millisecond to live, to which the server says nothing.
pub(super) async fn timeout_on_sleeping_server(peer: Peer) -> Outcome {
    let (requests, stream) = Streaming::<StreamingOutputCallRequest>::channel(1);
    let request = StreamingOutputCallRequest {
        payload: Some(payload(27_182)),
        ..Default::default()
    };
    requests.send(request).await.map_err(|_| "the stream is closed")?;
    let found = async {
        let call = Request::new(stream).with_timeout(Duration::from_millis(1));
        let responses = peer.test.full_duplex_call(call).await?;
        responses.into_inner().message().await
    };
    expect_code(found.await, Code::DeadlineExceeded)
}
