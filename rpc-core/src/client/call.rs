//! The four shapes of a call, from the caller's side.

use std::{borrow::Cow, pin::pin, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    Body, BoxFuture, Call, Channel, Context, Deadline, Extensions, Metadata, Method, Options, Reply, Request,
    Response, Result, Status, Streaming,
    codec::{MessageCodec, MethodTypes},
    context::{Expiry, child_of_current, given_up},
    message::{Place, Received, Role, Typed, take_message, take_stream, take_whole},
    status::Side,
};

/// Calls a unary method.
pub fn unary<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Req>,
) -> impl Future<Output = Result<Response<Res>>> + Send
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let (message, mut start) = Start::new(channel, types, request);
    async move {
        let (request, response) = start.codecs()?;
        let mut value = Typed::new(message, request);
        let mut place = None::<Res>;
        let mut call = start.call(response.name(), Body::Value(&mut value));
        call.place = Some(Place::new(&mut place));
        call_one(channel, &mut call, response, start.given_up).await
    }
}

/// Calls a client-streaming method.
pub fn client_streaming<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Streaming<Req>>,
) -> impl Future<Output = Result<Response<Res>>> + Send
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let (stream, mut start) = Start::streaming(channel, types, request);
    async move {
        let (request, response) = start.codecs()?;
        let mut place = None::<Res>;
        let mut call = start.call(response.name(), Body::Outgoing(stream.into_outgoing(request)));
        call.place = Some(Place::new(&mut place));
        call_one(channel, &mut call, response, start.given_up).await
    }
}

/// Calls a server-streaming method.
pub fn server_streaming<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    request: Request<Req>,
) -> impl Future<Output = Result<Response<Streaming<Res>>>> + Send
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
) -> impl Future<Output = Result<Response<Streaming<Res>>>> + Send
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
struct Start<'c, Req: 'static, Res: 'static> {
    channel: &'c Channel,
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

impl<'c, Req: Send + 'static, Res: Send + 'static> Start<'c, Req, Res> {
    fn new<M>(channel: &'c Channel, types: &'static MethodTypes<Req, Res>, request: Request<M>) -> (M, Self) {
        let (message, parts) = request.into_parts();
        let (context, given_up) = match parts.context {
            Some(context) => (context.child(), context.cancellation().token_if_made().cloned()),
            None => (child_of_current(), None),
        };
        let start = Self {
            channel,
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
        channel: &'c Channel,
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

    /// Makes a call that is answered by a stream.
    async fn call_many<'b>(
        &mut self,
        body: Body<'b>,
        codec: MessageCodec<Res>,
    ) -> Result<Response<Streaming<Res>>>
    where
        'c: 'b,
    {
        let method = self.types.method();
        let (given_up, channel) = (self.given_up.take(), self.channel);
        let mut call = self.call(codec.name(), body);
        let reply = match given_up.clone() {
            None => send(channel, &mut call).await,
            Some(token) => unless(token, send(channel, &mut call)).await,
        };
        let received = reply.and_then(|mut reply| {
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

    /// The call. What it takes from here is moved once: calls are large.
    fn call<'a>(&mut self, codec: &'static str, body: Body<'a>) -> Call<'a>
    where
        'c: 'a,
    {
        let usual = self.channel.options();
        let mut options = Options::lent(usual);
        if let Some(wait) = self.wait_for_ready {
            options.wait_for_ready = Some(wait);
        }
        if let Some(own) = self.timeout {
            options.timeout = Some(usual.timeout.map_or(own, |usual| own.min(usual)));
        }
        if let Some(timeout) = options.timeout {
            self.context.bring_forward(Deadline::after(timeout));
        }
        Call {
            method: self.types.method(),
            context: std::mem::take(&mut self.context),
            metadata: std::mem::take(&mut self.metadata),
            codec: Cow::Borrowed(codec),
            body,
            options,
            extensions: std::mem::take(&mut self.extensions),
            slot: None,
            place: None,
            kept: None,
            tie: None,
        }
    }
}

/// Sends a call that is answered by a stream, which is bounded as the call was.
async fn send(channel: &Channel, call: &mut Call<'_>) -> Result<Reply> {
    let mut reply = channel.pipeline().call_boxed(call).await?;
    if reply.body.is_arriving() {
        expire(&mut reply, call);
    }
    Ok(reply)
}

/// A reply that is still arriving comes with the timer of the deadline that was in force.
fn expire(reply: &mut Reply, call: &Call<'_>) {
    if reply.expiry.is_none() {
        reply.expiry = call.context.deadline().map(Expiry::new).map(Box::new);
    }
}

/// Makes a call that is answered by one message.
async fn call_one<T: Send + 'static>(
    channel: &Channel,
    call: &mut Call<'_>,
    codec: MessageCodec<T>,
    given_up: Option<CancellationToken>,
) -> Result<Response<T>> {
    let result = match given_up {
        None => receive(channel, call, codec).await,
        Some(token) => unless(token, receive(channel, call, codec)).await,
    };
    result.map_err(|status| failed(status, &call.method))
}

/// Sends a call, and reads the one message that answers it.
async fn receive<T: Send + 'static>(
    channel: &Channel,
    call: &mut Call<'_>,
    codec: MessageCodec<T>,
) -> Result<Response<T>> {
    let mut reply = channel.pipeline().call_boxed(call).await?;
    let message = if matches!(reply.body, Body::Placed) {
        let placed = call.place.take().and_then(Place::take);
        placed.ok_or_else(|| Status::internal("the message is not where the reply says that it is"))?
    } else if let Some(message) = take_whole(&mut reply.body, codec) {
        message?
    } else {
        expire(&mut reply, call);
        arriving(&mut reply, codec).await?
    };
    Ok(Response::from_parts(
        message,
        reply.metadata,
        reply.trailers,
        reply.extensions,
    ))
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

/// Runs a call, unless the caller gives it up. Boxed, as the rare case: the way of other calls does not carry it along.
async fn unless<T>(token: CancellationToken, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let answer: BoxFuture<'_, Option<Result<T>>> = Box::pin(token.run_until_cancelled(call));
    answer.await.unwrap_or_else(|| Err(given_up()))
}

fn failed(status: Status, method: &Method) -> Status {
    status.at_method(method).received()
}
