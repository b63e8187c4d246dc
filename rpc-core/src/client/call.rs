//! The four shapes of a call, from the caller's side.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    Body, BoxFuture, Call, Channel, Context, Deadline, Extensions, Metadata, Method, Reply, Request,
    Response, Result, Stage, Status, Streaming,
    codec::{MessageCodec, MethodTypes},
    context::{Expiry, child_of_current, given_up},
    message::{Received, Role, Typed, take_message, take_stream, take_whole},
    status::Side,
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
    let (message, mut start) = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs()?;
        let mut value = Typed::new(message, request);
        start.call_one(Body::Value(&mut value), response).await
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
    let (stream, mut start) = Start::streaming(channel, types, request);
    async move {
        let (request, response) = start.codecs()?;
        start
            .call_one(Body::Outgoing(stream.into_outgoing(request)), response)
            .await
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
    let (message, mut start) = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs()?;
        let mut value = Typed::new(message, request);
        start.call_many(Body::Value(&mut value), response).await
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
    let (stream, mut start) = Start::streaming(channel, types, request);
    async move {
        let (request, response) = start.codecs()?;
        start
            .call_many(Body::Outgoing(stream.into_outgoing(request)), response)
            .await
    }
}

/// What is settled when a stub is called, before anything is polled.
struct Start<Req: 'static, Res: 'static> {
    channel: Channel,
    types: &'static MethodTypes<Req, Res>,
    context: Context,
    /// Gives the call up, if the caller gave it a context that somebody else holds as well. The current context needs no
    /// such thing: a call is dropped with the handler that makes it, and [`spawn`](crate::context::spawn)ed work too.
    given_up: Option<CancellationToken>,
    metadata: Metadata,
    extensions: Extensions,
    timeout: Option<Duration>,
    wait_for_ready: Option<bool>,
}

impl<Req: Send + 'static, Res: Send + 'static> Start<Req, Res> {
    fn new<M>(channel: &Channel, types: &'static MethodTypes<Req, Res>, request: Request<M>) -> (M, Self) {
        let (message, parts) = request.into_parts();
        let (context, given_up) = match parts.context {
            Some(context) => (context.child(), context.cancellation().token_if_made().cloned()),
            None => (child_of_current(), None),
        };
        let start = Self {
            channel: channel.clone(),
            types,
            context,
            given_up,
            metadata: parts.metadata,
            extensions: parts.extensions,
            timeout: parts.timeout,
            wait_for_ready: parts.wait_for_ready,
        };
        (message, start)
    }

    fn streaming(
        channel: &Channel,
        types: &'static MethodTypes<Req, Res>,
        request: Request<Streaming<Req>>,
    ) -> (Streaming<Req>, Self) {
        let context = request.context();
        let (stream, start) = Self::new(channel, types, request);
        (stream.sent_from(context, Role::Caller), start)
    }

    /// The codecs of both messages.
    fn codecs(&self) -> Result<(MessageCodec<Req>, MessageCodec<Res>)> {
        let codecs = self
            .types
            .codec_for_client(self.channel.options().codec.as_deref());
        codecs.map_err(Status::received)
    }

    /// Makes a call that is answered by one message.
    async fn call_one(&mut self, body: Body<'_>, codec: MessageCodec<Res>) -> Result<Response<Res>> {
        let (given_up, types) = (self.given_up.clone(), self.types);
        let mut call = self.call(codec.name(), body);
        let call = pin!(async {
            let mut reply = send(&self.channel, &mut call).await?;
            let message = match take_whole(&mut reply.body, codec) {
                Some(message) => message?,
                None => arriving(&mut reply, codec).await?,
            };
            Ok(Response::from_parts(
                message,
                reply.metadata,
                reply.trailers,
                reply.extensions,
            ))
        });
        let result = unless(given_up, call).await;
        result.map_err(|status| failed(status, &types.method()))
    }

    /// Makes a call that is answered by a stream.
    async fn call_many(
        &mut self,
        body: Body<'_>,
        codec: MessageCodec<Res>,
    ) -> Result<Response<Streaming<Res>>> {
        let method = self.types.method();
        let given_up = self.given_up.clone();
        let mut call = self.call(codec.name(), body);
        let call = pin!(send(&self.channel, &mut call));
        let received = unless(given_up.clone(), call).await.and_then(|mut reply| {
            let stream = take_stream(&mut reply.body, codec)?;
            Ok((stream, reply))
        });
        let (stream, reply) = received.map_err(|status| failed(status, &method))?;
        let received = Received {
            method,
            expiry: reply.expiry,
            given_up,
            tie: reply.tie,
        };
        Ok(Response::from_parts(
            stream.received(received),
            reply.metadata,
            reply.trailers,
            reply.extensions,
        ))
    }

    fn call<'a>(&mut self, codec: &'static str, body: Body<'a>) -> Call<'a> {
        let options = self.channel.options();
        let mut call = Call::new(self.types.method(), codec, body);
        call.metadata = std::mem::take(&mut self.metadata);
        call.extensions = std::mem::take(&mut self.extensions);
        call.options.wait_for_ready = self.wait_for_ready.or(options.wait_for_ready);
        call.options.compression.clone_from(&options.compression);
        call.options.timeout = match (self.timeout, options.timeout) {
            (Some(own), Some(usual)) => Some(own.min(usual)),
            (own, usual) => own.or(usual),
        };
        let context = std::mem::take(&mut self.context);
        call.context = context.bounded_by(call.options.timeout.map(Deadline::after));
        call
    }
}

/// Sends a call through the pipeline. The reply comes with the timer of the deadline that was in force.
async fn send(channel: &Channel, call: &mut Call<'_>) -> Result<Reply> {
    let mut reply = channel.pipeline().call(call).await?;
    if reply.expiry.is_none() && reply.body.is_arriving() {
        reply.expiry = call.context.deadline().map(Expiry::new).map(Box::new);
    }
    Ok(reply)
}

/// The one message of a reply that is still arriving, and what follows it.
async fn arriving<T: Send + 'static>(reply: &mut Reply, codec: MessageCodec<T>) -> Result<T> {
    let message = pin!(take_message(&mut reply.body, codec));
    let message = match &mut reply.expiry {
        Some(expiry) => expiry.run(message).await,
        None => message.await,
    };
    if let Some(tie) = &reply.tie {
        tie.end();
    }
    let (message, trailers) = message.map_err(|status| status.at_side(Side::Client))?;
    if !trailers.is_empty() {
        reply.trailers = trailers;
    }
    Ok(message)
}

/// Runs a call, unless the caller gives it up.
async fn unless<T>(
    token: Option<CancellationToken>,
    call: Pin<&mut (impl Future<Output = Result<T>> + Send)>,
) -> Result<T> {
    let Some(token) = token else {
        return call.await;
    };
    let answer: BoxFuture<'_, Option<Result<T>>> = Box::pin(token.run_until_cancelled(call));
    answer.await.unwrap_or_else(|| Err(given_up()))
}

fn failed(status: Status, method: &Method) -> Status {
    status.at_method(method).received()
}
