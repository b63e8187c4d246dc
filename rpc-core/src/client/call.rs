//! The four shapes of a call, from the caller's side.

use std::{borrow::Cow, pin::pin};

use tokio_util::sync::CancellationToken;

use crate::{
    Body, BoxFuture, Call, Channel, Context, Deadline, Method, Options, Reply, Request, Response, Result,
    Status, Streaming,
    codec::{MessageCodec, MethodTypes},
    context::{Expiry, child_of_current, given_up},
    message::{Place, Received, RequestParts, Role, Typed, take_message, take_stream, take_whole},
    status::Side,
};

/// Calls a unary method.
pub fn unary<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    mut request: Request<Req>,
) -> impl Future<Output = Result<Response<Res>>> + Send
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let start = Start::new(channel, types, &mut request);
    async move {
        let (encoder, decoder) = start.codecs()?;
        let (message, parts) = request.into_parts();
        let mut value = Typed::new(message, encoder);
        let mut place = None::<Res>;
        let (mut call, given_up) = start.call(parts, decoder.name(), Body::Value(&mut value));
        call.place = Some(Place::new(&mut place));
        call_one(channel, &mut call, decoder, given_up).await
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
    let (stream, parts, start) = Start::streaming(channel, types, request);
    async move {
        let (encoder, decoder) = start.codecs()?;
        let mut place = None::<Res>;
        let body = Body::Outgoing(stream.into_outgoing(encoder));
        let (mut call, given_up) = start.call(parts, decoder.name(), body);
        call.place = Some(Place::new(&mut place));
        call_one(channel, &mut call, decoder, given_up).await
    }
}

/// Calls a server-streaming method.
pub fn server_streaming<Req, Res>(
    channel: &Channel,
    types: &'static MethodTypes<Req, Res>,
    mut request: Request<Req>,
) -> impl Future<Output = Result<Response<Streaming<Res>>>> + Send
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    let start = Start::new(channel, types, &mut request);
    async move {
        let (encoder, decoder) = start.codecs()?;
        let (message, parts) = request.into_parts();
        let mut value = Typed::new(message, encoder);
        start.call_many(parts, Body::Value(&mut value), decoder).await
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
    let (stream, parts, start) = Start::streaming(channel, types, request);
    async move {
        let (encoder, decoder) = start.codecs()?;
        let body = Body::Outgoing(stream.into_outgoing(encoder));
        start.call_many(parts, body, decoder).await
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
}

impl<'c, Req: Send + 'static, Res: Send + 'static> Start<'c, Req, Res> {
    /// The rest of the request stays where it is until it is needed: it is moved once then.
    #[inline]
    fn new<M>(channel: &'c Channel, types: &'static MethodTypes<Req, Res>, request: &mut Request<M>) -> Self {
        let (context, given_up) = match request.take_context() {
            Some(context) => (context.child(), context.cancellation().token_if_made().cloned()),
            None => (child_of_current(), None),
        };
        Self {
            channel,
            types,
            context,
            given_up,
        }
    }

    fn streaming(
        channel: &'c Channel,
        types: &'static MethodTypes<Req, Res>,
        mut request: Request<Streaming<Req>>,
    ) -> (Streaming<Req>, RequestParts, Self) {
        let context = request.context();
        let start = Self::new(channel, types, &mut request);
        let (stream, parts) = request.into_parts();
        (stream.sent_from(context, Role::Caller), parts, start)
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
        self,
        parts: RequestParts,
        body: Body<'b>,
        codec: MessageCodec<Res>,
    ) -> Result<Response<Streaming<Res>>>
    where
        'c: 'b,
    {
        let method = self.types.method();
        let channel = self.channel;
        let (mut call, given_up) = self.call(parts, codec.name(), body);
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
        Ok(Response::received(
            stream.received(received),
            reply.metadata,
            reply.trailers,
            reply.extensions,
        ))
    }

    /// The call, and what gives it up.
    #[inline]
    fn call<'a>(
        mut self,
        parts: RequestParts,
        codec: &'static str,
        body: Body<'a>,
    ) -> (Call<'a>, Option<CancellationToken>)
    where
        'c: 'a,
    {
        let usual = self.channel.options();
        let mut options = Options::lent(usual);
        if let Some(wait) = parts.wait_for_ready {
            options.wait_for_ready = Some(wait);
        }
        if let Some(own) = parts.timeout {
            options.timeout = Some(usual.timeout.map_or(own, |usual| own.min(usual)));
        }
        if let Some(timeout) = options.timeout {
            self.context.bring_forward(Deadline::after(timeout));
        }
        let call = Call {
            method: self.types.method(),
            context: self.context,
            metadata: parts.metadata,
            codec: Cow::Borrowed(codec),
            body,
            options,
            extensions: parts.extensions,
            slot: None,
            place: None,
            kept: None,
            tie: None,
        };
        (call, self.given_up)
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
    Ok(Response::received(
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
