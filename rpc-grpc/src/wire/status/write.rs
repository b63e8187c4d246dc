//! A status as trailers.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use rpc_core::{Code, Status};

use crate::wire::{
    headers::{self, append_metadata},
    names, percent,
};

/// The trailers that every peer takes. Some refuse more than this at random, and all refuse the double.
const TRAILERS_BYTES: usize = 8 << 10;

/// What a message may always take of that.
const MESSAGE_BYTES: usize = 1 << 10;

/// What other headers of ours may take in the same block: the content type, where nothing went before the trailers.
const OTHERS_BYTES: usize = 128;

const EMPTY: HeaderValue = HeaderValue::from_static("");

/// The value of `grpc-status` by code.
const CODES: [&str; 17] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
];

/// The end of a call that succeeded.
pub(crate) fn ok() -> HeaderMap {
    // Copying a map costs half of what making one does.
    static OK: LazyLock<HeaderMap> =
        LazyLock::new(|| HeaderMap::from_iter([(names::STATUS, HeaderValue::from_static(CODES[0]))]));
    OK.clone()
}

/// Adds the end of a call that failed: code, text, details, push-back, and the metadata of the status.
///
/// Trailers stay below what every peer takes as long as the metadata does. If they would not, details are left out first,
/// and then the end of the text is. They stay below `limit_bytes` as well: metadata that does not fit beside the code and what the
/// text takes at least is left out as a whole, as it would only put itself in the place of the failure. The code and the push-back
/// always go.
pub(crate) fn write(status: &Status, limit_bytes: usize, trailers: &mut HeaderMap) {
    // Others may be there already, or come later.
    let others = headers::size_of(trailers);
    let limit = limit_bytes.saturating_sub(OTHERS_BYTES.saturating_sub(others));
    let left = |trailers: &HeaderMap| limit.saturating_sub(headers::size_of(trailers));
    // First, for peers that cut off what is too much for them.
    trailers.insert(
        names::STATUS,
        HeaderValue::from_static(CODES[status.code() as usize]),
    );
    let pushback = pushback(status);
    let mut metadata = HeaderMap::new();
    if !status.metadata().is_empty() && headers::reserve(&mut metadata, status.metadata().len()).is_ok() {
        append_metadata(status.metadata(), &mut metadata);
        let mut needed = headers::size_of(&metadata);
        if let Some(pushback) = &pushback {
            needed += headers::entry_size(&names::RETRY_PUSHBACK, pushback);
        }
        if !status.message().is_empty() {
            let least = shortened(status.message(), MESSAGE_BYTES);
            needed += headers::entry_size(&names::MESSAGE, &least);
        }
        if needed <= left(trailers) {
            append_metadata(status.metadata(), trailers);
        }
    }
    if let Some(pushback) = pushback {
        trailers.insert(names::RETRY_PUSHBACK, pushback);
    }
    let left = left(trailers);
    let mut room = left.min(TRAILERS_BYTES.saturating_sub(headers::size_of(trailers)));
    if !status.message().is_empty() {
        let message = shortened(status.message(), room.max(MESSAGE_BYTES.min(left)));
        room = room.saturating_sub(headers::entry_size(&names::MESSAGE, &message));
        trailers.insert(names::MESSAGE, message);
    }
    // Base64 makes four bytes of three.
    let room = room.saturating_sub(headers::entry_size(&names::STATUS_DETAILS, &EMPTY)) / 4 * 3;
    if let Some(details) = status.encode_details(room) {
        trailers.insert(names::STATUS_DETAILS, headers::binary_value(&details));
    }
}

/// Milliseconds to stay away, rounded up; negative forbids to try again.
fn pushback(status: &Status) -> Option<HeaderValue> {
    if status.forbids_retry() {
        return Some(HeaderValue::from_static("-1"));
    }
    let pushback = status.pushback()?;
    let millis = pushback.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as u32;
    Some(millis.into())
}

/// The text, encoded, of which so much is cut off its end that it fits.
fn shortened(message: &str, room: usize) -> HeaderValue {
    let room = room.saturating_sub(names::MESSAGE.as_str().len() + 32);
    // An escape is of three bytes, so a text cut at `room` is at most three times as long.
    let mut end = message.floor_char_boundary(room.min(message.len()));
    loop {
        let value = percent::encode(&message[..end]);
        if value.len() <= room || end == 0 {
            return value;
        }
        let excess = (value.len() - room).div_ceil(3);
        end = message.floor_char_boundary(end.saturating_sub(excess));
    }
}

/// Codes are numbered as their array is.
const _: () = assert!(Code::Unauthenticated as usize + 1 == CODES.len());
