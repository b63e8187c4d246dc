//! What the world asks of a balancer.

use crate::{Key, Time, server::Report};

/// One client's way of choosing among the instances of one service.
///
/// Each client has its own and shares nothing with others: what it knows is what it saw of its own calls, and what
/// servers report.
pub trait Policy {
    /// Where the next attempt goes; it is under way from now on. `None` if there is nowhere to go.
    fn pick(&mut self, now: Time, ask: &Ask<'_>) -> Option<Picked>;

    /// An attempt is over. Comes exactly once for each that was picked.
    fn finished(&mut self, now: Time, over: &Over);

    /// Comes regularly, for what does not happen with a call.
    fn tick(&mut self, _now: Time) {}
}

/// What a choice is for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Where earlier attempts of the same call went.
    pub tried: &'a [usize],
    /// The lane of the call; none is the base.
    pub lane: Option<u8>,
    /// What a consistent hash goes by: the same for calls of the same user.
    pub key: u64,
}

/// Where an attempt goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picked {
    /// The instance, by its place in the list.
    pub endpoint: usize,
    /// By what the policy knows the attempt again when it is over.
    pub ticket: Option<Key>,
}

/// An attempt that is over, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Over {
    /// Where it went, by its place in the list of instances.
    pub endpoint: usize,
    /// What it was given when it was picked.
    pub ticket: Option<Key>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was sent.
    pub sent: Time,
    /// What the server said of itself, if it answered.
    pub report: Option<Report>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// The server said that it failed.
    Failed,
    /// The server had no capacity, and did not begin.
    Refused,
    /// Time was up before an answer came.
    TimedOut,
    /// Whoever asked is gone.
    Cancelled,
}

/// What a client learns of an instance from its registry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peer {
    /// Which server it is, in the whole world.
    pub server: usize,
    /// Weight by which it was announced.
    pub weight: u32,
    /// Its lane; none is the base.
    pub lane: Option<u8>,
}

/// Makes one client's policy for a list of instances.
pub type Make<'m> = dyn Fn(&[Peer]) -> Box<dyn Policy> + 'm;
