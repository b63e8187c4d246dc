//! One message each way.

use rpc::Request;

use super::{Outcome, Peer, expect};
use crate::{
    payload,
    testing::{Empty, SimpleRequest, TestService},
};

pub(super) const REQUEST_SIZE: usize = 271_828;
pub(super) const RESPONSE_SIZE: i32 = 314_159;

/// An empty message there and back.
pub(super) async fn empty_unary(peer: Peer) -> Outcome {
    let response = peer.test.empty_call(Request::new(Empty {})).await?;
    expect("the response", response.into_inner(), Empty {})
}

/// Large messages both ways.
pub(super) async fn large_unary(peer: Peer) -> Outcome {
    let request = SimpleRequest {
        response_size: RESPONSE_SIZE,
        payload: Some(payload(REQUEST_SIZE)),
        ..Default::default()
    };
    let response = peer.test.unary_call(Request::new(request)).await?.into_inner();
    expect(
        "the response's payload",
        response.payload,
        Some(payload(RESPONSE_SIZE.unsigned_abs() as usize)),
    )
}
