//! All details of a status as one `google.rpc.Status`, the way they travel.

use std::borrow::Cow;

use bytes::Bytes;
use prost::{Message, encoding::encoded_len_varint};

use super::{Detail, ErrorInfo, RetryInfo, proto};
use crate::{Status, status::reason};

/// The most bytes of encoded details that are looked at: 64 KiB. More are dropped unread.
const MAX_BYTES: usize = 64 << 10;
/// The most details that are taken out of them.
const MAX_DETAILS: usize = 64;

impl Status {
    /// Reason, details and facts as an encoded `google.rpc.Status`, which repeats code and message; `None` if there is
    /// nothing beyond those, or if not even they fit.
    ///
    /// The result has at most `limit_bytes` bytes, before any base64. What does not fit is left out: facts come first,
    /// then the reason, without its parameters if need be, then the details in their order. That the call was not processed
    /// is only said where the [place](Self::place) has its method.
    pub fn encode_details(&self, limit_bytes: usize) -> Option<Bytes> {
        let facts = self.0.facts.entries(self.0.place.path());
        if facts.is_empty() && self.0.info.is_none() && self.0.details.is_empty() && self.pushback().is_none()
        {
            return None;
        }
        let mut encoded = proto::Status {
            code: i32::from(self.0.code as u8),
            message: self.0.message.clone().into_owned(),
            details: Vec::new(),
        };
        let mut room = Room(limit_bytes.checked_sub(encoded.encoded_len())?);

        let is_ours = self
            .0
            .info
            .as_ref()
            .is_some_and(|info| info.domain == reason::DOMAIN);
        let (own, hop) = match &self.0.info {
            Some(info) if is_ours => (Some((info, facts)), None),
            Some(info) => (Some((info, Vec::new())), hop(facts)),
            None => (None, hop(facts)),
        };
        // What is asked first gets the room; the order on the wire is another one.
        let hop = hop.and_then(|hop| room.take(hop.into()));
        let retry = self
            .pushback()
            .and_then(|delay| room.take(RetryInfo::new(delay).into()));
        let own = own.and_then(|(info, facts)| {
            let bare = ErrorInfo {
                metadata: facts.clone(),
                ..info.clone()
            };
            let mut whole = info.clone();
            whole.metadata.splice(0..0, facts);
            room.take(whole.into()).or_else(|| room.take(bare.into()))
        });
        let others = self
            .0
            .details
            .iter()
            .filter_map(|detail| room.take(detail.clone()));
        encoded.details = others.collect();
        encoded
            .details
            .splice(0..0, own.into_iter().chain(hop).chain(retry));
        (!encoded.details.is_empty()).then(|| encoded.encode_to_vec().into())
    }

    /// Takes reason, details and facts out of an encoded `google.rpc.Status`.
    ///
    /// Bytes that are none, that have more than 64 KiB, or that contradict our code are dropped whole, and of more than 64
    /// details the further ones: the call still has its code and message. That the call was not processed is only believed
    /// where it is said of the method that our [place](Self::place) has, and no other fact is where it is said of another one.
    pub fn with_decoded_details(mut self, bytes: &[u8]) -> Self {
        if bytes.len() > MAX_BYTES {
            return self;
        }
        let Ok(decoded) = proto::Status::decode(bytes) else {
            return self;
        };
        if decoded.code != i32::from(self.0.code as u8) {
            return self;
        }
        // What a transport has read from a field of its own counts more.
        let pushback = self.pushback();
        for any in decoded.details.into_iter().take(MAX_DETAILS) {
            self.add_detail(Detail {
                type_url: any.type_url.into(),
                value: any.value,
            });
        }
        self.0.facts.settle_pushback(pushback);
        self
    }
}

/// The facts beside a reason that is not ours.
fn hop(facts: Vec<(Cow<'static, str>, Cow<'static, str>)>) -> Option<ErrorInfo> {
    if facts.is_empty() {
        return None;
    }
    Some(ErrorInfo {
        metadata: facts,
        ..ErrorInfo::new(reason::DOMAIN, reason::HOP)
    })
}

/// Bytes that are left.
struct Room(usize);

impl Room {
    /// The detail as it is sent, if there is room for it.
    fn take(&mut self, detail: Detail) -> Option<proto::Any> {
        let any = proto::Any {
            type_url: detail.type_url.into_owned(),
            value: detail.value,
        };
        let len = any.encoded_len();
        // A tag of one byte and the length come before it.
        self.0 = self.0.checked_sub(1 + encoded_len_varint(len as u64) + len)?;
        Some(any)
    }
}
