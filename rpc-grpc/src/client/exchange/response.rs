//! The head of an answer: is it gRPC at all, how are its messages written, is it the end already?

use std::task::{Context as Poller, Poll, Waker};

use h2::RecvStream;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use rpc_core::{
    Call, Metadata, Status,
    status::{Side, reason},
};

use crate::wire::{
    compress::{self, Coding, Compression},
    content_type, headers, names, status,
};

/// What the head of an answer says.
pub(crate) struct Answer {
    pub(crate) metadata: Metadata,
    /// How messages with flag 1 are compressed.
    pub(crate) compression: Option<Compression>,
}

/// Reads the head of an answer in which messages may follow, or of one that is the end already.
///
/// # Errors
/// What the call failed with: the server's status, or what is wrong with the answer.
pub(crate) fn read(
    response: Response<()>,
    ended: bool,
    call: &Call<'_>,
    limit_bytes: usize,
) -> Result<Answer, Status> {
    let (parts, ()) = response.into_parts();
    let (http, mut head) = (parts.status, parts.headers);
    // One block is headers and trailers at once.
    let at_once = ended || http != StatusCode::OK;
    if at_once {
        status::fit(&mut head, limit_bytes)?;
    } else {
        headers::check_size(&head, limit_bytes)?;
    }
    // A failure has no messages, so that it is the same in each codec: who answers in place of the server may not know the call's.
    let codec = (!at_once || !status::is_failure(&head)).then_some(&*call.codec);
    check_type(&head, http, codec)?;
    if at_once {
        let metadata = status::finish_at_once(head, http, &call.method)?;
        return Ok(Answer {
            metadata,
            compression: None,
        });
    }
    let compression = match Coding::parse(head.get(names::ENCODING)) {
        Coding::Identity => None,
        Coding::Known(compression) => Some(compression),
        Coding::Unknown => return Err(unknown_coding(&head)),
    };
    // A status in it is passed over, as all that the protocol keeps for itself: the trailers say it last.
    let metadata = headers::take_metadata(head)?;
    Ok(Answer {
        metadata,
        compression,
    })
}

/// True if the head says how the call ended, and nothing follows it. While we still send, h2 does not tell any more that the answer
/// was at its end once the connection has ended as well. Trailers that do follow are put over the head.
pub(crate) fn is_broken_off(response: &mut Response<RecvStream>) -> bool {
    if !response.headers().contains_key(names::STATUS) {
        return false;
    }
    // Pending while there is DATA.
    match response
        .body_mut()
        .poll_trailers(&mut Poller::from_waker(Waker::noop()))
    {
        Poll::Pending => false,
        Poll::Ready(trailers) => {
            let trailers = trailers.ok().flatten().unwrap_or_default();
            // Where both are too many, the head says it.
            if headers::reserve(response.headers_mut(), trailers.len()).is_ok() {
                response.headers_mut().extend(trailers);
            }
            true
        }
    }
}

/// True if the server says that it cannot undo a compression. It may say so with a failure.
pub(crate) fn refuses(response: &Response<()>, compression: Compression) -> bool {
    let accepted = response.headers().get(names::ACCEPT_ENCODING);
    accepted.is_some() && !compress::accepts(accepted, compression)
}

/// An answer that is not gRPC's came from somebody between the peers, or from one that is no gRPC server: its HTTP status
/// is all that is known then. Messages have to be in `codec`, if there may be any.
fn check_type(head: &HeaderMap, http: StatusCode, codec: Option<&str>) -> Result<(), Status> {
    let Some(value) = head.get(CONTENT_TYPE) else {
        // A bare end needs no type where it says how it ended.
        return if head.contains_key(names::STATUS) {
            Ok(())
        } else {
            Err(foreign(http, "no content type"))
        };
    };
    let Ok(subtype) = content_type::parse(value) else {
        let value = String::from_utf8_lossy(value.as_bytes());
        let shown: String = value.chars().take(100).collect();
        return Err(foreign(
            http,
            &format!("content type `{}`", shown.escape_default()),
        ));
    };
    match (subtype.named(), codec) {
        // Some servers never name the subtype.
        (None, _) | (_, None) => Ok(()),
        (Some(named), Some(codec)) if named == codec => Ok(()),
        (Some(named), Some(codec)) => {
            let named: String = named.chars().take(100).collect();
            Err(broken(format!(
                "the answer is in codec `{}`, not in `{codec}`",
                named.escape_default()
            )))
        }
    }
}

fn foreign(http: StatusCode, what: &str) -> Status {
    let known = status::from_http(http);
    Status::new(
        known.code(),
        format!("the answer is not gRPC: HTTP status {}, {what}", http.as_u16()),
    )
    .with_reason(reason::PROTOCOL_BROKEN)
    .with_domain(reason::DOMAIN)
    .at_side(Side::Server)
}

fn unknown_coding(head: &HeaderMap) -> Status {
    let name = head.get(names::ENCODING).map_or_else(String::new, |value| {
        String::from_utf8_lossy(value.as_bytes())
            .chars()
            .take(100)
            .collect()
    });
    broken(format!(
        "the answer is compressed as `{}`, which was not offered",
        name.escape_default()
    ))
}

fn broken(text: String) -> Status {
    Status::internal(text)
        .with_reason(reason::PROTOCOL_BROKEN)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Server)
}
