//! Metadata there and back.

use rpc::{Metadata, Request, Streaming};

use super::{
    Outcome, Peer, expect,
    streaming::ask_for,
    unary::{REQUEST_SIZE, RESPONSE_SIZE},
};
use crate::{
    ECHO_INITIAL, ECHO_TRAILING, payload,
    testing::{SimpleRequest, TestService},
};

const INITIAL: &str = "test_initial_metadata_value";
const TRAILING: &[u8] = &[0xab, 0xab, 0xab];

/// The server echoes one entry in its headers and one of bytes in its trailers, for a unary call and for a stream.
pub(super) async fn custom_metadata(peer: Peer) -> Outcome {
    let request = SimpleRequest {
        response_size: RESPONSE_SIZE,
        payload: Some(payload(REQUEST_SIZE)),
        ..Default::default()
    };
    let response = peer
        .test
        .unary_call(with_metadata(Request::new(request))?)
        .await?;
    check(response.metadata(), response.trailers())?;

    let requests = Streaming::from_iter([ask_for(RESPONSE_SIZE, REQUEST_SIZE)]);
    let response = peer
        .test
        .full_duplex_call(with_metadata(Request::new(requests))?)
        .await?;
    let initial = response.metadata().clone();
    let mut stream = response.into_inner();
    while stream.message().await?.is_some() {}
    check(&initial, stream.trailers())
}

fn with_metadata<T>(mut request: Request<T>) -> Result<Request<T>, rpc::metadata::InvalidMetadata> {
    request.metadata_mut().insert(ECHO_INITIAL, INITIAL)?;
    request.metadata_mut().insert_bin(ECHO_TRAILING, TRAILING)?;
    Ok(request)
}

fn check(initial: &Metadata, trailing: &Metadata) -> Outcome {
    expect("the initial metadata", initial.get(ECHO_INITIAL), Some(INITIAL))?;
    expect(
        "the trailing metadata",
        trailing.get_bin(ECHO_TRAILING).as_deref(),
        Some(TRAILING),
    )
}
