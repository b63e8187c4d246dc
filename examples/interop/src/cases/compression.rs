//! Compression, message by message.

use rpc::{
    Code, Request, Streaming,
    message::{ReceivedCompressed, SendCompressed},
};
use tokio_stream::StreamExt;

use super::{
    Outcome, Peer, expect,
    status::expect_code,
    unary::{REQUEST_SIZE, RESPONSE_SIZE},
};
use crate::{
    payload,
    testing::{
        BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
        TestService,
    },
};

/// A request that says it is compressed and is not is refused; then one that is, and one that is not and says so.
pub(super) async fn client_compressed_unary(peer: Peer) -> Outcome {
    let request = |said: bool, compressed: bool| {
        let message = SimpleRequest {
            expect_compressed: Some(BoolValue { value: said }),
            response_size: RESPONSE_SIZE,
            payload: Some(payload(REQUEST_SIZE)),
            ..Default::default()
        };
        let mut request = Request::new(message);
        request.extensions_mut().insert(SendCompressed::new(compressed));
        request
    };
    expect_code(
        peer.compressing.unary_call(request(true, false)).await,
        Code::InvalidArgument,
    )?;
    for compressed in [true, false] {
        let response = peer
            .compressing
            .unary_call(request(compressed, compressed))
            .await?
            .into_inner();
        expect(
            "the response's payload",
            response.payload,
            Some(payload(RESPONSE_SIZE.unsigned_abs() as usize)),
        )?;
    }
    Ok(())
}

/// The same for a stream: one message that lies; then one compressed and one not, and their sum.
pub(super) async fn client_compressed_streaming(peer: Peer) -> Outcome {
    let request = |said: bool, size: usize| StreamingInputCallRequest {
        expect_compressed: Some(BoolValue { value: said }),
        payload: Some(payload(size)),
    };
    let liar = switched([(false, request(true, 27_182))]);
    expect_code(
        peer.compressing.streaming_input_call(liar).await,
        Code::InvalidArgument,
    )?;
    let honest = switched([(true, request(true, 27_182)), (false, request(false, 45_904))]);
    let response = peer.compressing.streaming_input_call(honest).await?;
    expect("the sum", response.into_inner().aggregated_payload_size, 73_086)
}

/// The server compresses its response, or does not, as it is asked.
pub(super) async fn server_compressed_unary(peer: Peer) -> Outcome {
    for compressed in [true, false] {
        let message = SimpleRequest {
            response_compressed: Some(BoolValue { value: compressed }),
            response_size: RESPONSE_SIZE,
            payload: Some(payload(REQUEST_SIZE)),
            ..Default::default()
        };
        let response = peer.test.unary_call(Request::new(message)).await?;
        expect(
            "whether it came compressed",
            was_compressed(response.extensions().get()),
            compressed,
        )?;
        expect(
            "the payload",
            response.into_inner().payload,
            Some(payload(RESPONSE_SIZE.unsigned_abs() as usize)),
        )?;
    }
    Ok(())
}

/// The server compresses one message of its stream and not the other.
pub(super) async fn server_compressed_streaming(peer: Peer) -> Outcome {
    let sizes = [(true, 31_415), (false, 92_653)];
    let parameters = sizes.map(|(compressed, size)| ResponseParameters {
        compressed: Some(BoolValue { value: compressed }),
        size,
        ..Default::default()
    });
    let request = StreamingOutputCallRequest {
        response_parameters: parameters.to_vec(),
        ..Default::default()
    };
    let response = peer.test.streaming_output_call(Request::new(request)).await?;
    let seen = response.extensions().get::<ReceivedCompressed>().cloned();
    let mut responses = response.into_inner();
    for (compressed, size) in sizes {
        let message = responses.message().await?.ok_or("the stream ended early")?;
        expect(
            "whether it came compressed",
            was_compressed(seen.as_ref()),
            compressed,
        )?;
        expect(
            "the payload",
            message.payload,
            Some(payload(size.unsigned_abs() as usize)),
        )?;
    }
    expect("what follows", responses.message().await?, None)
}

fn was_compressed(seen: Option<&ReceivedCompressed>) -> bool {
    seen.is_some_and(ReceivedCompressed::get)
}

/// A request of a stream whose messages are compressed, or not, one by one.
fn switched<const N: usize>(
    messages: [(bool, StreamingInputCallRequest); N],
) -> Request<Streaming<StreamingInputCallRequest>> {
    let switch = SendCompressed::new(false);
    let of_message = switch.clone();
    let stream = tokio_stream::iter(messages).map(move |(compressed, message)| {
        of_message.set(compressed);
        Ok(message)
    });
    let mut request = Request::new(Streaming::new(stream));
    request.extensions_mut().insert(switch);
    request
}
