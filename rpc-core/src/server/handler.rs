//! What the lines of a generated server call: decode, run, reply.

use bytes::BytesMut;

use crate::{
    Body, Call, CallFuture, Context, Reply, Request, Response, Status, Streaming,
    codec::{MessageCodec, MethodTypes},
    message::{Encoded, Place, Role, Typed, take_message, take_stream, take_whole},
};

/// Room for a message of unknown size, so that a small one does not grow the buffer five times.
const GUESS_BYTES: usize = 256;

/// Answers a call of a unary method.
pub fn unary<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Request<Req>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Res>, Status>> + Send + 'a,
{
    one_to_one(types, call, |message, call| handler(arrived(call, message)))
}

/// What [`unary`] does, for a handler that takes of the call what it wants besides the message.
pub fn one_to_one<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Req, &mut Call<'_>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Res>, Status>> + Send + 'a,
{
    CallFuture::made(move || async move {
        let (request_codec, response_codec) = types.codec(Some(&call.codec))?;
        let encoded = over_wire(call);
        let message = match take_whole(&mut call.body, request_codec) {
            Some(message) => message?,
            None => take_message(&mut call.body, request_codec).await?.0,
        };
        let response = handler(message, call).await.map_err(Status::leave_hop)?;
        one(response, response_codec, encoded, &mut call.place)
    })
}

/// Answers a call of a client-streaming method.
pub fn client_streaming<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Request<Streaming<Req>>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Res>, Status>> + Send + 'a,
{
    many_to_one(types, call, |stream, call| handler(arrived(call, stream)))
}

/// The same for [`client_streaming`].
pub fn many_to_one<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Streaming<Req>, &mut Call<'_>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Res>, Status>> + Send + 'a,
{
    CallFuture::made(move || async move {
        let (request_codec, response_codec) = types.codec(Some(&call.codec))?;
        let encoded = over_wire(call);
        let stream = take_stream(&mut call.body, request_codec)?.tied(call.tie.take());
        let response = handler(stream, call).await.map_err(Status::leave_hop)?;
        one(response, response_codec, encoded, &mut call.place)
    })
}

/// Answers a call of a server-streaming method.
pub fn server_streaming<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Request<Req>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Streaming<Res>>, Status>> + Send + 'a,
{
    one_to_many(types, call, |message, call| handler(arrived(call, message)))
}

/// The same for [`server_streaming`].
pub fn one_to_many<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Req, &mut Call<'_>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Streaming<Res>>, Status>> + Send + 'a,
{
    CallFuture::made(move || async move {
        let (request_codec, response_codec) = types.codec(Some(&call.codec))?;
        let message = match take_whole(&mut call.body, request_codec) {
            Some(message) => message?,
            None => take_message(&mut call.body, request_codec).await?.0,
        };
        let response = handler(message, call).await.map_err(Status::leave_hop)?;
        Ok(many(response, response_codec))
    })
}

/// Answers a call of a bidirectional method.
pub fn bidi<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Request<Streaming<Req>>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Streaming<Res>>, Status>> + Send + 'a,
{
    many_to_many(types, call, |stream, call| handler(arrived(call, stream)))
}

/// The same for [`bidi`].
pub fn many_to_many<'a, Req, Res, F, Fut>(
    types: &'static MethodTypes<Req, Res>,
    call: &'a mut Call<'_>,
    handler: F,
) -> CallFuture<'a>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: FnOnce(Streaming<Req>, &mut Call<'_>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Response<Streaming<Res>>, Status>> + Send + 'a,
{
    CallFuture::made(move || async move {
        let (request_codec, response_codec) = types.codec(Some(&call.codec))?;
        let stream = take_stream(&mut call.body, request_codec)?.tied(call.tie.take());
        let response = handler(stream, call).await.map_err(Status::leave_hop)?;
        Ok(many(response, response_codec))
    })
}

fn arrived<T>(call: &mut Call<'_>, message: T) -> Request<T> {
    let peer = Context::with_current(|context| context.caller().and_then(|caller| caller.peer().cloned()));
    Request::arrived(
        message,
        std::mem::take(&mut call.metadata),
        peer,
        std::mem::take(&mut call.extensions),
    )
}

/// True if the reply will have to be bytes: its transport lent us bytes, too.
fn over_wire(call: &Call<'_>) -> bool {
    matches!(call.body, Body::Arriving(_))
}

/// A reply of one message. It is encoded on the spot if it must be in any case, or put where its caller waits for it:
/// either saves the box around the value.
fn one<T: Send + 'static>(
    response: Response<T>,
    codec: MessageCodec<T>,
    encoded: bool,
    place: &mut Option<Place<'_>>,
) -> Result<Reply, Status> {
    let (message, metadata, trailers, extensions) = response.into_parts();
    let body = if encoded {
        let mut out = BytesMut::with_capacity(codec.encoded_len(&message).unwrap_or(GUESS_BYTES));
        codec.encode(&message, &mut out)?;
        Body::Encoded(Encoded { bytes: out.freeze() })
    } else {
        match place.as_mut() {
            Some(place) => match place.put(message) {
                Ok(()) => Body::Placed,
                Err(message) => Body::Boxed(Box::new(Typed::new(message, codec))),
            },
            None => Body::Boxed(Box::new(Typed::new(message, codec))),
        }
    };
    let mut reply = Reply::new(body);
    reply.metadata = metadata;
    reply.trailers = trailers;
    reply.extensions = extensions;
    Ok(reply)
}

fn many<T: Send + 'static>(response: Response<Streaming<T>>, codec: MessageCodec<T>) -> Reply {
    let (stream, metadata, trailers, extensions) = response.into_parts();
    let mut stream = stream.sent_from(Context::current(), Role::Handler);
    stream.add_trailers(trailers);
    let mut reply = Reply::new(Body::Outgoing(stream.into_outgoing(codec)));
    reply.metadata = metadata;
    reply.extensions = extensions;
    reply
}
