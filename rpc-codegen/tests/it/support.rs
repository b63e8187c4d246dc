//! Channels to services in this process, typed or through bytes.

use std::sync::Arc;

use bytes::BytesMut;
use rpc::{
    Body, Call, Channel, Context, Reply, Result, Stage,
    message::{Encoded, Value},
    server::{Dispatch, Router, Service},
    transport::LocalTransport,
};

pub(crate) fn dispatch(service: impl Service) -> Dispatch {
    let mut router = Router::new();
    router.add(Arc::new(service)).expect("it is the only service");
    Dispatch::new(Arc::new(router))
}

/// A channel that hands values over.
pub(crate) fn channel(service: impl Service) -> Channel {
    Channel::new(LocalTransport::new(dispatch(service)))
}

/// A channel that encodes requests and responses, as a wire would. Unary only.
pub(crate) fn encoding_channel(service: impl Service) -> Channel {
    Channel::new(Wire(dispatch(service)))
}

/// Has the request of a unary method replaced before it is decoded, and says what the response was.
pub(crate) async fn exchange(
    service: impl Service,
    path: &str,
    codec: &'static str,
    request: impl Into<bytes::Bytes>,
) -> Result<bytes::Bytes> {
    let dispatch = dispatch(service);
    let body = Body::Encoded(Encoded {
        bytes: request.into(),
    });
    let mut call = dispatch.accept(path, codec, Context::new(), body);
    let reply = dispatch.answer(&mut call).await?;
    Ok(encoded(reply.body).bytes)
}

struct Wire(Dispatch);

impl Stage for Wire {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        let body = Body::Encoded(encoded(call.body.take_owned()));
        let mut arrived = self
            .0
            .accept(call.method.path(), call.codec.clone(), call.context.child(), body);
        arrived.metadata = call.metadata.clone();
        let mut reply = self.0.answer(&mut arrived).await?;
        reply.body = Body::Encoded(encoded(reply.body));
        Ok(reply)
    }
}

fn encoded(body: Body<'_>) -> Encoded {
    let mut bytes = BytesMut::new();
    let value: Box<dyn Value> = match body {
        Body::Boxed(value) => value,
        Body::Encoded(encoded) => return encoded,
        other => panic!("one message is due, not {other:?}"),
    };
    value.encode(&mut bytes).expect("it is encodable");
    Encoded {
        bytes: bytes.freeze(),
    }
}
