//! How far a connection's life has got, and how its link learns of that.

use std::sync::Arc;

use tokio::sync::Notify;

use super::sync::{
    AtomicBool, AtomicU8, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

/// The bits of a state that are the phase.
const PHASE: u8 = 0b11;

/// There were calls on it when it ceased to take some.
const BUSY: u8 = 1 << 2;

/// It ceased to take calls before it was closed.
const SENT_AWAY: u8 = 1 << 3;

/// A call has chosen it although it was to be replaced.
const CALLED_LATE: u8 = 1 << 4;

/// How far a connection's life has got. It only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Takes calls.
    Open,
    /// Takes calls, but is to be replaced.
    Retiring,
    /// Takes no new calls; those that run go on.
    Draining,
    /// Gone.
    Closed,
}

/// The part of a connection that its link looks at. A [`Protocol`](super::Protocol) gets it when it is to connect, and keeps it
/// in the connection.
#[derive(Debug)]
pub struct Life {
    /// The phase, with [`BUSY`], [`SENT_AWAY`] and [`CALLED_LATE`]. All in one, so that who sees the phase sees how it came to
    /// it.
    state: AtomicU8,
    quiet: AtomicBool,
    /// The calls were too many for one connection.
    pressed: AtomicBool,
    /// They would be for one connection fewer.
    needed: AtomicBool,
    /// The thread that its task ran on last, see [`this_thread`]; 0 before that.
    driven_on: AtomicUsize,
    /// Whether the link makes more connections when there is no room.
    scales: bool,
    /// Tells the supervisor to look around.
    changed: Arc<Notify>,
}

impl Life {
    pub(super) fn new(changed: &Arc<Notify>, scales: bool) -> Self {
        Self {
            state: AtomicU8::new(Phase::Open as u8),
            quiet: AtomicBool::new(false),
            pressed: AtomicBool::new(false),
            needed: AtomicBool::new(false),
            driven_on: AtomicUsize::new(0),
            scales,
            changed: Arc::clone(changed),
        }
    }

    /// How far it has got.
    pub fn phase(&self) -> Phase {
        match self.state.load(SeqCst) & PHASE {
            0 => Phase::Open,
            1 => Phase::Retiring,
            2 => Phase::Draining,
            _ => Phase::Closed,
        }
    }

    /// True if new calls may use the connection.
    pub fn takes_calls(&self) -> bool {
        self.state.load(SeqCst) & PHASE < Phase::Draining as u8
    }

    /// There was no call for the idle timeout; said again every half of it for as long as that is so. Closing the connection
    /// or not is up to the link, which may have others.
    pub fn note_quiet(&self) {
        self.quiet.store(true, SeqCst);
        self.changed.notify_one();
    }

    /// A call waits because the connection is full. Cheap where nothing follows from it.
    pub fn note_crowded(&self) {
        if self.scales {
            self.changed.notify_one();
        }
    }

    /// Its calls are so many that another connection would serve some of them better.
    pub(super) fn note_pressed(&self) {
        self.pressed.store(true, SeqCst);
        self.tell();
    }

    /// Its calls are so many that no connection is to be closed.
    pub(super) fn note_needed(&self) {
        self.needed.store(true, SeqCst);
    }

    /// Its task runs, on this thread: said at each turn by connections that calls are [spread](super::Spread) over. Calls that
    /// begin on the same thread prefer them: what they share with the task is at hand there, and nobody else holds it.
    pub fn note_driven(&self) {
        let here = this_thread();
        // Written only where it changes: others read it at each call.
        if self.driven_on.load(Relaxed) != here {
            self.driven_on.store(here, Relaxed);
        }
    }

    /// True if its task ran on this thread last.
    pub(super) fn was_driven_here(&self) -> bool {
        self.driven_on.load(Relaxed) == this_thread()
    }

    /// A call has chosen it. The first one that does so although it was to be replaced tells the supervisor, who may have left
    /// it without a successor because nobody called.
    pub(super) fn note_chosen(&self) {
        if self.state.load(SeqCst) == Phase::Retiring as u8 {
            self.note_called_late();
        }
    }

    #[cold]
    fn note_called_late(&self) {
        self.state.fetch_or(CALLED_LATE, SeqCst);
        self.tell();
    }

    /// Moves on to a phase, with so many calls; false if it was there or further already.
    pub(super) fn advance(&self, phase: Phase, load: usize) -> bool {
        let next = |before: u8| {
            let (from, mut known) = (before & PHASE, before & !PHASE);
            if from < Phase::Draining as u8 && phase >= Phase::Draining {
                known |= if load > 0 { BUSY } else { 0 };
                known |= if phase == Phase::Draining { SENT_AWAY } else { 0 };
            }
            (from < phase as u8).then_some(known | phase as u8)
        };
        self.state.fetch_update(SeqCst, SeqCst, next).is_ok()
    }

    pub(super) fn was_busy(&self) -> bool {
        self.state.load(SeqCst) & BUSY != 0
    }

    pub(super) fn was_sent_away(&self) -> bool {
        self.state.load(SeqCst) & SENT_AWAY != 0
    }

    pub(super) fn was_called_late(&self) -> bool {
        self.state.load(SeqCst) & CALLED_LATE != 0
    }

    pub(super) fn tell(&self) {
        self.changed.notify_one();
    }

    /// True once for each time that it was said to be quiet.
    pub(super) fn take_quiet(&self) -> bool {
        self.quiet.swap(false, SeqCst)
    }

    /// True if it was pressed since this was asked last.
    pub(super) fn take_pressed(&self) -> bool {
        self.pressed.swap(false, SeqCst)
    }

    /// True if it was needed since this was asked last.
    pub(super) fn take_needed(&self) -> bool {
        self.needed.swap(false, SeqCst)
    }
}

/// A number that no other thread has while this one lives.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
