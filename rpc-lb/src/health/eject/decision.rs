//! What is known of endpoints when it is decided who is ejected, and what is decided.

use std::time::Duration;

use tokio::time::Instant;

use super::EjectReason;

/// What an endpoint did since the last sweep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Calls that ended well.
    pub successes: u32,
    /// Calls that did not.
    pub failures: u32,
    /// Failures one after the other, up to now.
    pub consecutive: u32,
    /// Those of them that ended well and whose time was taken: not streams, nor calls for which there was no choice.
    pub timed: u32,
    /// What these took together.
    pub spent: Duration,
    /// It cannot be called now. Of those that can, a part may be ejected. Default: no.
    pub is_away: bool,
    /// Endpoints are compared with those of the same class: those that get the same requests. Default: 0.
    pub class: u64,
}

/// An endpoint that gets no calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ejection {
    /// When it gets calls again.
    pub until: Instant,
    /// Why it gets none.
    pub reason: EjectReason,
    /// How often in a row it has been ejected; 1 is the first time.
    pub times: u32,
}

/// What was decided about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The endpoint.
    pub key: u64,
    /// What becomes of it.
    pub what: What,
}

/// What becomes of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// It gets no calls.
    Ejected(Ejection),
    /// It gets calls again.
    Returned,
    /// It would be ejected, but too many are.
    Spared(EjectReason),
    /// The same again while that counts: nothing is new.
    StillSpared,
}
