//! One attempt of a call: a request on a stream, and its answer.

mod head;
mod outbound;
mod pump;
mod reply;
mod response;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll},
};

use h2::client::ResponseFuture;
use http::Response;
use rpc_core::{
    Body, Call, Reply, Status,
    message::{Encoded, ReceivedCompressed, SendCompressed},
    status::{Side, reason},
    transport::supervise::{Again, Failed},
};

pub(crate) use self::head::HeadTemplate;
use self::{
    outbound::Loan,
    pump::Pump,
    reply::{Collect, NoMessages, ReplySource, ReplyStream, blamed, miscounted, overdue},
    response::Answer,
};
use super::{
    ClientConfig,
    connection::{Connection, NotOpened, Slot},
};
use crate::{
    Compression,
    body::{SendBody, Whole, send_whole},
    wire::{
        frame::{Data, Decoder, Encoder},
        status::{Perspective, from_h2},
    },
};

/// A call that was given up before it was answered. Dropping it resets the stream, and then gives the slot back.
pub(crate) struct Abandoned {
    response: ResponseFuture,
    pump: Pump,
    slot: Slot,
}

/// Sends a call over a connection and receives its reply.
///
/// The body stays where it is unless it is a stream; a stream of which nothing was taken is put back if the attempt fails.
pub(crate) async fn attempt(
    connection: &Arc<Connection>,
    head: &HeadTemplate,
    config: &ClientConfig,
    call: &mut Call<'_>,
) -> Result<Reply, Failed> {
    // One step is over before the next one begins, and what is awaited stays where it is: so the call has room for the
    // larger of the two steps, and not for what is moved from one to the other.
    let begun = {
        let answered = ask(connection, head, config, call).await?;
        receive(answered, call, config)
    };
    let received = match begun {
        Ok(mut begun) => match begun.finish().await {
            Ok(()) => return Ok(begun.reply),
            Err(status) => status,
        },
        Err(status) => status,
    };
    Err(Failed::from(connection.explain(blamed(received))))
}

/// A call whose answer has begun.
struct Answered {
    response: Response<h2::RecvStream>,
    /// Its head is its end.
    ended: bool,
    /// How the request was compressed.
    compression: Option<Compression>,
    pump: Pump,
    slot: Slot,
}

/// Sends the request, and waits for the head of the answer.
async fn ask(
    connection: &Arc<Connection>,
    head: &HeadTemplate,
    config: &ClientConfig,
    call: &mut Call<'_>,
) -> Result<Answered, Failed> {
    let compression = compression(call, config)?.filter(|wanted| connection.takes_compression(*wanted));
    let encoder = Encoder {
        compression,
        limit_bytes: config.send_limit_bytes(),
    };
    let switch = call.extensions.get::<SendCompressed>().cloned();
    let message = outbound::encode(&call.body, encoder.switched(switch.as_ref()))?;
    let Some(slot) = Slot::take(connection).await else {
        return Err(gone(connection));
    };

    let writes = connection.writes.get();
    let opened = connection.open(|| {
        let keeps = |timeout| connection.timeouts.keeps(timeout);
        head.request(call, keeps, compression, config.max_metadata_bytes)
    });
    let opened = match opened {
        Ok(opened) => opened,
        Err(NotOpened::Gone) => return Err(gone(connection)),
        Err(NotOpened::Refused(status)) => return Err(status.into()),
    };
    let mut waiting = Waiting {
        number: opened.number,
        call: Some(Abandoned {
            response: opened.response,
            pump: Pump::default(),
            slot,
        }),
    };
    let mut loan = None;
    if let Some(data) = message {
        send_message(opened.stream, data);
    } else {
        let (taken, frames) = Loan::take(&mut call.body, encoder)?;
        loan = Some(taken);
        waiting.set_pump(Pump::new(SendBody::new(
            opened.stream,
            frames.switched_by(switch),
            Perspective::Client,
        )));
    }

    let response = std::future::poll_fn(|cx| waiting.poll_response(cx)).await;
    if response.is_ok() {
        connection.answered(waiting.number);
    }
    let (pump, slot) = waiting.over();
    match response {
        Ok(mut response) => {
            let ended =
                response.body().is_end_stream() || loan.is_some() && response::is_broken_off(&mut response);
            Ok(Answered {
                response,
                ended,
                compression,
                pump,
                slot,
            })
        }
        Err(error) => {
            let left = connection.writes.get() != writes;
            let mut failed = failed(&error, left, pump, connection);
            failed.status = overdue(failed.status, call.context.deadline());
            let replayable = match loan {
                _ if failed.again == Again::No => false,
                None => true,
                Some(loan) => {
                    drop(slot);
                    loan.give_back(&mut call.body)
                }
            };
            Err(Failed {
                again: if replayable { failed.again } else { Again::No },
                ..failed
            })
        }
    }
}

/// How the request of a call is compressed.
fn compression(call: &Call<'_>, config: &ClientConfig) -> Result<Option<Compression>, Status> {
    match call.options.compression.as_deref() {
        None => Ok(config.compression),
        Some("identity") => Ok(None),
        Some(name) => match Compression::of_name(name) {
            Some(compression) => Ok(Some(compression)),
            None => Err(
                Status::internal(format!("this build cannot compress by `{name}`"))
                    .with_reason(reason::COMPRESSION_UNKNOWN)
                    .with_domain(reason::DOMAIN)
                    .at_side(Side::Client)
                    .not_processed(),
            ),
        },
    }
}

/// Hands the whole request to h2, which holds it until the server's windows take it: it is in memory anyway.
fn send_message(mut stream: h2::SendStream<Data>, data: Data) {
    let whole = Whole { data, trailers: None };
    // An error means that the stream is over already, and it says so to whoever waits for its answer.
    let _ = send_whole(&mut stream, whole, Perspective::Client);
}

/// A reply, and the one message that is yet to go into it.
struct Begun {
    reply: Reply,
    message: Option<Collect>,
}

impl Begun {
    async fn finish(&mut self) -> Result<(), Status> {
        if let Some(message) = &mut self.message {
            let (bytes, trailers) = message.await?;
            self.reply.trailers = trailers;
            self.reply.body = Body::Encoded(Encoded { bytes });
        }
        Ok(())
    }
}

/// Reads the head of an answer.
fn receive(answered: Answered, call: &Call<'_>, config: &ClientConfig) -> Result<Begun, Status> {
    let Answered {
        response,
        ended,
        compression: sent,
        pump,
        slot,
    } = answered;
    let (parts, stream) = response.into_parts();
    let streams = call.method.shape().streams_responses();
    let is_over = ended && !pump.is_running();
    let source = ReplySource::new(stream, config, call.context.deadline(), is_over, slot);
    let head = Response::from_parts(parts, ());
    if let Some(sent) = sent.filter(|sent| response::refuses(&head, *sent)) {
        source.connection().refuse_compression(sent);
    }
    let Answer {
        metadata,
        compression,
    } = response::read(head, ended, call, config.max_metadata_bytes)?;
    let mut decoder = Decoder::new(config.max_message_bytes, compression);
    let mut reply = Reply::new(Body::Empty);
    reply.peer.clone_from(&source.connection().peer);
    if compression.is_some() {
        let received = ReceivedCompressed::new();
        decoder = decoder.observed_by(received.clone());
        reply.extensions.insert(received);
    }
    let mut message = None;
    if ended {
        if !streams {
            return Err(miscounted("none").with_metadata(metadata));
        }
        reply.body = Body::Incoming(Box::new(NoMessages(metadata)));
    } else {
        reply.metadata = metadata;
        if streams {
            reply.body = Body::Incoming(Box::new(ReplyStream::new(source, decoder, pump)));
        } else {
            message = Some(Collect::new(source, decoder, pump));
        }
    }
    Ok(Begun { reply, message })
}

/// What an attempt failed with that got no answer.
fn failed(error: &h2::Error, left: bool, mut pump: Pump, connection: &Connection) -> Failed {
    let mut status = from_h2(error, Perspective::Client);
    if status.reason() == Some(reason::CALLER_GONE)
        && let Some(failure) = pump.take_failure()
    {
        connection.note_reset();
        return Failed::from(failure);
    }
    status = connection.explain(status);
    let again = match status.reason() {
        _ if !status.was_processed() => Again::NotTaken,
        Some(reason::CONNECTION_LOST) if !left => {
            status = status.not_processed();
            Again::NotSent
        }
        _ => Again::No,
    };
    Failed { status, again }
}

fn gone(connection: &Connection) -> Failed {
    Failed::not_sent(connection.local.as_ref(), connection.peer.as_deref())
}

/// A call whose answer has not begun. Dropped, it is given up.
struct Waiting {
    number: u32,
    /// `None` once it is answered, or has failed.
    call: Option<Abandoned>,
}

impl Waiting {
    fn set_pump(&mut self, pump: Pump) {
        if let Some(call) = &mut self.call {
            call.pump = pump;
        }
    }

    fn poll_response(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Response<h2::RecvStream>, h2::Error>> {
        let call = self.call.as_mut().expect("it is there until it is answered");
        let _ = call.pump.poll(cx);
        Pin::new(&mut call.response).poll(cx)
    }

    /// What is left of the call once the answer has begun, or the stream failed.
    fn over(mut self) -> (Pump, Slot) {
        let call = self.call.take().expect("it is there until it is answered");
        (call.pump, call.slot)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let connection = Arc::clone(call.slot.connection());
            connection.give_up(self.number, call);
        }
    }
}
