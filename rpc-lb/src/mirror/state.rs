//! The copies that are under way.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Body, Call, Deadline, OwnedCall, Stage as _,
    context::until,
    matcher::{MatchError, Predicate, RequestKey, Subject},
    message::Encoded,
    stage::SharedStage,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use super::{MIRROR_KEY, MirrorConfig, MirrorRule, MirrorTo, router::CopyOf};
use crate::route::{RouteError, error::matching};

/// What the copies of a client share.
pub(super) struct Shared {
    config: MirrorConfig,
    /// By the number of the rule.
    ways: Box<[Way]>,
    room: Arc<Semaphore>,
    counts: Arc<Counters>,
    /// Dropped with the client, which ends the copies.
    alive: watch::Sender<()>,
}

/// Where the copies of a rule go.
struct Way {
    stage: SharedStage,
    is_among: Predicate,
    mark: String,
}

#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

/// How many copies a client has made so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MirrorCounts {
    /// Copies that were made.
    pub sent: u64,
    /// Copies among them that were answered.
    pub answered: u64,
    /// Copies among them that failed, or were not answered in time.
    pub failed: u64,
    /// Calls that a rule meant, and of which no copy was made: too large, or too many under way.
    pub skipped: u64,
}

/// In a call's extensions: a copy was made, or could not be.
#[derive(Debug, Clone, Copy)]
struct Mirrored;

impl Shared {
    pub(super) fn new(config: MirrorConfig, stages: Vec<SharedStage>) -> Result<Self, RouteError> {
        let way = |(at, (rule, stage)): (usize, (&MirrorRule, SharedStage))| {
            let is_among = Predicate::percent(rule.percent).map(|percent| percent.salted(&rule.name));
            let wrong = |error: MatchError| matching(error, &format!("rules[{at}]"));
            Ok(Way {
                stage,
                is_among: is_among.map_err(wrong)?,
                mark: rule.name.chars().filter(|c| matches!(c, ' '..='~')).collect(),
            })
        };
        let rules = config.rules.iter().zip(stages).enumerate();
        let ways: Result<_, RouteError> = rules.map(way).collect();
        Ok(Self {
            ways: ways?,
            room: Arc::new(Semaphore::new(config.max_in_flight)),
            counts: Arc::default(),
            alive: watch::Sender::new(()),
            config,
        })
    }

    pub(super) fn counts(&self) -> MirrorCounts {
        MirrorCounts {
            sent: self.counts.sent.load(Ordering::Relaxed),
            answered: self.counts.answered.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            skipped: self.counts.skipped.load(Ordering::Relaxed),
        }
    }

    /// Makes a copy of a call, if a rule says so.
    pub(super) fn mirror(&self, call: &mut Call<'_>) {
        let rules = self.config.rules.iter().zip(&self.ways).enumerate();
        let mut rules = rules.filter(|(_, (rule, _))| rule.when.matches(call));
        if let Some((at, (rule, way))) = rules.next() {
            self.mirror_by(at, rule, way, call);
        }
    }

    #[cold]
    fn mirror_by(&self, at: usize, rule: &MirrorRule, way: &Way, call: &mut Call<'_>) {
        let shape = call.method.shape();
        let streams = shape.streams_requests() || shape.streams_responses();
        if streams || call.extensions.get::<Mirrored>().is_some() {
            return;
        }
        let is_among = |subject: &Subject| subject.with_bytes(call, |bytes| way.is_among.test(bytes));
        let by = rule.by.as_ref().and_then(is_among);
        if !by.or_else(|| is_among(&Subject::Request)).unwrap_or_default() {
            return;
        }
        call.extensions.insert(Mirrored);
        let room = Arc::clone(&self.room).try_acquire_owned().ok();
        let made = room.and_then(|room| Some((room, self.message(&call.body)?, Handle::try_current().ok()?)));
        let Some((room, message, runtime)) = made else {
            self.counts.skipped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        let copy = copy(at, rule, &way.mark, message, call);
        runtime.spawn(send(
            way.stage.clone(),
            copy,
            room,
            Arc::clone(&self.counts),
            self.alive.subscribe(),
        ));
    }

    /// The message of a call, encoded; `None` if there is none, or it is too large.
    fn message(&self, body: &Body<'_>) -> Option<Bytes> {
        let max = self.config.max_bytes;
        let encode = |value: &dyn rpc_core::message::Value| {
            if value.encoded_len().is_some_and(|len| len > max) {
                return None;
            }
            let mut bytes = BytesMut::new();
            value.encode(&mut bytes).ok()?;
            Some(bytes.freeze())
        };
        let bytes = match body {
            Body::Value(value) => encode(&**value),
            Body::Boxed(value) => encode(&**value),
            Body::Encoded(encoded) => Some(encoded.bytes.clone()),
            _ => None,
        };
        bytes.filter(|bytes| bytes.len() <= max)
    }
}

/// The copy of a call.
fn copy(at: usize, rule: &MirrorRule, mark: &str, bytes: Bytes, call: &Call<'_>) -> OwnedCall {
    let body = Body::Encoded(Encoded { bytes });
    let mut copy = Call::new(call.method.clone(), call.codec.clone(), body);
    copy.context = call
        .context
        .child()
        .bounded_by(Some(Deadline::after(rule.timeout)));
    copy.metadata = call.metadata.clone();
    // The key is legal, and so is the mark: it was made so.
    let _ = copy.metadata.insert(MIRROR_KEY, mark);
    copy.options = call.options.to_owned();
    // Another target may have rules of its own, with numbers of their own.
    if matches!(rule.to, MirrorTo::Instances(_)) {
        copy.extensions.insert(CopyOf(at));
    }
    // A copy of a copy, at a client that mirrors as well, is one too many.
    copy.extensions.insert(Mirrored);
    if let Some(key) = call.extensions.get::<RequestKey>() {
        copy.extensions.insert(*key);
    }
    copy
}

async fn send(
    stage: SharedStage,
    mut copy: OwnedCall,
    room: OwnedSemaphorePermit,
    counts: Arc<Counters>,
    mut alive: watch::Receiver<()>,
) {
    let deadline = copy.context.deadline();
    let answer = until(deadline, stage.call(&mut copy));
    tokio::select! {
        biased;
        // Only its end changes it.
        _ = alive.changed() => {}
        answer = answer => match answer {
            Ok(_) => {
                counts.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(status) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%status, "a mirrored call failed");
            }
        },
    }
    drop(room);
}
