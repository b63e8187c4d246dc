//! The four shapes of a call, from the caller's side.

use crate::{
    Body, Call, Channel, Context, Deadline, Reply, Request, Response, Result, Stage, Status, Streaming,
    codec::{MessageCodec, MethodTypes},
    context::{child_of_current, until},
    message::{RequestParts, Typed, take_message, take_stream},
};

/// Calls a unary method.
pub fn unary<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Req>,
) -> impl Future<Output = Result<Response<Res>>> + Send + use<Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let start = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs?;
        let mut value = Typed::new(start.message, request);
        let reply = run(start.channel, types, start.parts, start.context, request, Body::Value(&mut value)).await?;
        received_one(types, reply, response).await
    }
}

/// Calls a client-streaming method.
pub fn client_streaming<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Streaming<Req>>,
) -> impl Future<Output = Result<Response<Res>>> + Send + use<Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let start = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs?;
        let body = Body::Outgoing(start.message.into_outgoing(request));
        let reply = run(start.channel, types, start.parts, start.context, request, body).await?;
        received_one(types, reply, response).await
    }
}

/// Calls a server-streaming method.
pub fn server_streaming<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Req>,
) -> impl Future<Output = Result<Response<Streaming<Res>>>> + Send + use<Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let start = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs?;
        let mut value = Typed::new(start.message, request);
        let reply = run(start.channel, types, start.parts, start.context, request, Body::Value(&mut value)).await?;
        received_many(reply, response)
    }
}

/// Calls a bidirectional method.
pub fn bidi<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Streaming<Req>>,
) -> impl Future<Output = Result<Response<Streaming<Res>>>> + Send + use<Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let start = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs?;
        let body = Body::Outgoing(start.message.into_outgoing(request));
        let reply = run(start.channel, types, start.parts, start.context, request, body).await?;
        received_many(reply, response)
    }
}

/// What is settled when a stub is called, before anything is polled.
struct Start<Req: 'static, Res: 'static, M> {
    channel: Channel,
    codecs: Result<(MessageCodec<Req>, MessageCodec<Res>)>,
    context: Context,
    message: M,
    parts: RequestParts,
}

impl<Req, Res, M> Start<Req, Res, M> {
    fn new(channel: &Channel, types: &'static MethodTypes<Req, Res>, request: Request<M>) -> Self {
        let (message, mut parts) = request.into_parts();
        let context = parts.context.take().map_or_else(child_of_current, |context| context.child());
        let codecs = types.codec_for_client(channel.options().codec.as_deref());
        Self { channel: channel.clone(), codecs, context, message, parts }
    }
}

/// Sends a call through the pipeline. The reply comes with the deadline that was in force.
async fn run<Req, Res>(
    channel: Channel,
    types: &'static MethodTypes<Req, Res>,
    parts: RequestParts,
    context: Context,
    codec: MessageCodec<Req>,
    body: Body<'_>,
) -> Result<(Reply, Option<Deadline>)> {
    let mut call = Call::new(types.method(), codec.name(), body);
    call.metadata = parts.metadata;
    call.extensions = parts.extensions;
    let options = channel.options();
    call.options.wait_for_ready = parts.wait_for_ready.or(options.wait_for_ready);
    call.options.compression.clone_from(&options.compression);
    call.options.timeout = match (parts.timeout, options.timeout) {
        (Some(own), Some(usual)) => Some(own.min(usual)),
        (own, usual) => own.or(usual),
    };
    call.context = context.bounded_by(call.options.timeout.map(Deadline::after));
    match channel.pipeline().call(&mut call).await {
        Ok(reply) => Ok((reply, call.context.deadline())),
        Err(status) => Err(failed(status, types)),
    }
}

async fn received_one<Req, Res: Send + 'static>(
    types: &'static MethodTypes<Req, Res>,
    (mut reply, deadline): (Reply, Option<Deadline>),
    codec: MessageCodec<Res>,
) -> Result<Response<Res>> {
    let message = until(deadline, take_message(&mut reply.body, codec)).await;
    let (message, mut trailers) = message.map_err(|status| failed(status, types))?;
    if trailers.is_empty() {
        trailers = reply.trailers;
    }
    Ok(Response::from_parts(message, reply.metadata, trailers, reply.extensions))
}

fn received_many<Res: Send + 'static>(
    (mut reply, deadline): (Reply, Option<Deadline>),
    codec: MessageCodec<Res>,
) -> Result<Response<Streaming<Res>>> {
    let stream = take_stream(&mut reply.body, codec)?.received(deadline);
    Ok(Response::from_parts(stream, reply.metadata, reply.trailers, reply.extensions))
}

fn failed<Req, Res>(status: Status, types: &'static MethodTypes<Req, Res>) -> Status {
    status.at_method(&types.method()).received()
}
