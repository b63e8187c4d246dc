//! Streams one way and both.

use rpc::{Request, Streaming};

use super::{Outcome, Peer, expect};
use crate::{
    payload,
    testing::{ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest, TestService},
};

pub(super) const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1_828, 45_904];
pub(super) const RESPONSE_SIZES: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// What asks for one response of a size, and carries a payload itself.
pub(super) fn ask_for(size: i32, carried: usize) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size,
            ..Default::default()
        }],
        payload: Some(payload(carried)),
        ..Default::default()
    }
}

/// Four messages up, their sum down.
pub(super) async fn client_streaming(peer: Peer) -> Outcome {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
        payload: Some(payload(size)),
        ..Default::default()
    });
    let response = peer
        .test
        .streaming_input_call(Request::new(Streaming::from_iter(requests)))
        .await?;
    expect("the sum", response.into_inner().aggregated_payload_size, 74_922)
}

/// One message up, four of given sizes down, in order.
pub(super) async fn server_streaming(peer: Peer) -> Outcome {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSE_SIZES
            .map(|size| ResponseParameters {
                size,
                ..Default::default()
            })
            .to_vec(),
        ..Default::default()
    };
    let mut responses = peer
        .test
        .streaming_output_call(Request::new(request))
        .await?
        .into_inner();
    for size in RESPONSE_SIZES {
        let response = responses.message().await?.ok_or("the stream ended early")?;
        expect(
            "a payload",
            response.payload,
            Some(payload(size.unsigned_abs() as usize)),
        )?;
    }
    expect("what follows", responses.message().await?, None)
}

/// A message up, one down, and so on: strictly in turn.
pub(super) async fn ping_pong(peer: Peer) -> Outcome {
    let (requests, stream) = Streaming::channel(1);
    let mut turns = RESPONSE_SIZES.into_iter().zip(REQUEST_SIZES).peekable();
    // The first request waits in the stream when the call begins: a server may keep its headers for its first message.
    if let Some(&(ask, carried)) = turns.peek() {
        requests
            .send(ask_for(ask, carried))
            .await
            .map_err(|_| "the request stream is closed")?;
    }
    let mut responses = peer
        .test
        .full_duplex_call(Request::new(stream))
        .await?
        .into_inner();
    while let Some((expected, _)) = turns.next() {
        let response = responses.message().await?.ok_or("the stream ended early")?;
        expect(
            "a payload",
            response.payload,
            Some(payload(expected.unsigned_abs() as usize)),
        )?;
        if let Some(&(ask, carried)) = turns.peek() {
            requests
                .send(ask_for(ask, carried))
                .await
                .map_err(|_| "the request stream is closed")?;
        }
    }
    drop(requests);
    expect("what follows", responses.message().await?, None)
}

/// Two streams of nothing.
pub(super) async fn empty_stream(peer: Peer) -> Outcome {
    let mut responses = peer
        .test
        .full_duplex_call(Request::new(Streaming::empty()))
        .await?
        .into_inner();
    expect("what came", responses.message().await?, None)
}
