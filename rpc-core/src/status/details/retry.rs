//! `google.rpc.RetryInfo`.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::{DetailType, proto};
use crate::Status;

/// `google.rpc.RetryInfo`: how long to wait at least before the next attempt.
///
/// In a status it is its [`pushback`](Status::pushback), a fact of one hop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryInfo {
    /// How long. Sent, more than 10,000 years count as that; received, less than nothing counts as nothing.
    pub retry_delay: Duration,
}

/// The longest `google.protobuf.Duration`.
const MAX_SECONDS: i64 = 315_576_000_000;

impl RetryInfo {
    /// Asks for a delay.
    pub const fn new(retry_delay: Duration) -> Self {
        Self { retry_delay }
    }
}

impl DetailType for RetryInfo {
    const TYPE_URL: &'static str = "type.googleapis.com/google.rpc.RetryInfo";

    fn to_bytes(&self) -> Bytes {
        let seconds = i64::try_from(self.retry_delay.as_secs())
            .unwrap_or(MAX_SECONDS)
            .min(MAX_SECONDS);
        let nanos = self.retry_delay.subsec_nanos().cast_signed();
        let retry_delay = Some(proto::Duration { seconds, nanos });
        proto::RetryInfo { retry_delay }.encode_to_vec().into()
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let delay = proto::RetryInfo::decode(bytes.clone())
            .ok()?
            .retry_delay
            .unwrap_or_default();
        let seconds = u64::try_from(delay.seconds.min(MAX_SECONDS)).unwrap_or(0);
        let nanos = u32::try_from(delay.nanos).unwrap_or(0).min(999_999_999);
        Some(Self {
            retry_delay: Duration::new(seconds, nanos),
        })
    }

    fn from_facts(status: &Status) -> Option<Self> {
        status.pushback().map(Self::new)
    }
}
