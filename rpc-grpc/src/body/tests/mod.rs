//! Both directions over h2, in memory, on paused time: a wait of a second ends as soon as nothing else can happen.

mod layered;
mod receiving;
mod sending;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use rpc_core::{
    Body, Code, Metadata, Status,
    codec::{Codec, CodecError, Decode, Encode, MessageCodec},
    message::{Encoded, Incoming, Outgoing, Typed},
    status::reason,
};

use super::*;
use crate::wire::{
    frame::{Data, Decoder, Encoder},
    names,
    status::Perspective,
};

const ENCODER: Encoder = Encoder {
    compression: None,
    limit_bytes: 64 << 20,
};

const TRAILERS: Ending = Ending::Trailers {
    limit_bytes: 16 << 10,
};

/// Ends as soon as everything waits.
const QUIET: Duration = Duration::from_secs(1);

/// One call on a connection: both ends of its stream, headers exchanged.
struct Wire {
    to_server: SendStream<Data>,
    from_client: RecvStream,
    to_client: SendStream<Data>,
    from_server: RecvStream,
}

async fn wire(window: u32) -> Wire {
    let (near, far) = tokio::io::duplex(1 << 16);
    let client = h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1 << 20)
        .max_send_buffer_size(1 << 16)
        .handshake::<_, Data>(near);
    let server = h2::server::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1 << 20)
        .max_send_buffer_size(1 << 16)
        .handshake::<_, Data>(far);
    let ((mut requests, connection), mut accepting) = {
        let (client, server) = tokio::join!(client, server);
        (client.expect("it is memory"), server.expect("it is memory"))
    };
    tokio::spawn(connection);
    let (response, to_server) = requests
        .send_request(Request::post("/s/m").body(()).expect("legal"), false)
        .expect("it is open");
    let (request, mut respond) = accepting
        .accept()
        .await
        .expect("one comes")
        .expect("it is well-formed");
    tokio::spawn(async move { while accepting.accept().await.is_some() {} });
    let to_client = respond
        .send_response(Response::new(()), false)
        .expect("it is open");
    let from_server = response.await.expect("it was sent").into_body();
    // The client's connection lives as long as somebody could send on it.
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(requests);
    });
    Wire {
        to_server,
        from_client: request.into_body(),
        to_client,
        from_server,
    }
}

fn client(stream: RecvStream) -> RecvMessages {
    let source = H2Source::new(stream, Perspective::Client, 256);
    RecvMessages::new(source, Decoder::new(64 << 20, None), Perspective::Client)
}

fn server(stream: RecvStream) -> RecvMessages {
    let source = H2Source::new(stream, Perspective::Server, 256);
    RecvMessages::new(source, Decoder::new(64 << 20, None), Perspective::Server)
}

async fn next(messages: &mut dyn Incoming) -> Option<Result<Bytes, Status>> {
    poll_fn(|cx| messages.poll_message(cx)).await
}

async fn collect(messages: &mut dyn Incoming) -> Result<Vec<Bytes>, Status> {
    let mut all = Vec::new();
    while let Some(message) = next(messages).await {
        all.push(message?);
    }
    Ok(all)
}

fn request(body: Body<'_>) -> Frames {
    Frames::new(body, ENCODER, Ending::Stream, Metadata::new()).expect("it can be encoded")
}

fn reply(body: Body<'_>) -> Frames {
    Frames::new(body, ENCODER, TRAILERS, Metadata::new()).expect("it can be encoded")
}

fn encoded(message: impl Into<Bytes>) -> Body<'static> {
    Body::Encoded(Encoded {
        bytes: message.into(),
    })
}

/// Messages that are ready, and a count of those that were taken.
fn counted(sizes: impl IntoIterator<Item = usize>) -> (Body<'static>, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let steps = sizes
        .into_iter()
        .map(|size| Poll::Ready(Ok(vec![7; size])))
        .collect();
    let stream = Script { steps, taken: count };
    (Body::Outgoing(Box::new(stream)), taken)
}

/// A stream by script: messages, then the end. `Pending` stays.
struct Script {
    steps: std::collections::VecDeque<Poll<Result<Vec<u8>, Status>>>,
    taken: Arc<AtomicUsize>,
}

impl Outgoing for Script {
    fn poll_encode(&mut self, _: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        match self.steps.pop_front() {
            None => Poll::Ready(None),
            Some(Poll::Pending) => {
                self.steps.push_front(Poll::Pending);
                Poll::Pending
            }
            Some(Poll::Ready(Ok(message))) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                out.extend_from_slice(&message);
                Poll::Ready(Some(Ok(())))
            }
            Some(Poll::Ready(Err(status))) => Poll::Ready(Some(Err(status))),
        }
    }

    fn take_trailers(&mut self) -> Metadata {
        let mut metadata = Metadata::new();
        metadata
            .insert("x-sent", &self.taken.load(Ordering::Relaxed).to_string())
            .expect("legal");
        metadata
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

fn script(steps: impl IntoIterator<Item = Poll<Result<Vec<u8>, Status>>>) -> Body<'static> {
    Body::Outgoing(Box::new(Script {
        steps: steps.into_iter().collect(),
        taken: Arc::default(),
    }))
}

/// Text as it is.
enum Text {}

impl Codec for Text {
    const NAME: &'static str = "text";
}

impl Encode<String> for Text {
    fn encode(value: &String, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}

impl Decode<String> for Text {
    fn decode(bytes: Bytes) -> Result<String, CodecError> {
        String::from_utf8(bytes.to_vec()).map_err(CodecError::new)
    }
}
