//! The link of another transport, while the peer does not speak this one.
//!
//! Servers learn new protocols when they are deployed anew, and then their connections end. So this protocol is tried again
//! whenever the other link has connected anew, beside it: calls go over that one until a connection of ours is there, and if
//! the peer has learnt nothing, they have noticed nothing.
//!
//! A peer that hung up without a word has not said that it does not speak this protocol. It is asked again by itself as well,
//! after pauses that double.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use crate::transport::{Link, LinkState};

/// A server that closes connections one after the other is not asked more often than this.
pub(super) const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// One that keeps hanging up without a word is asked after this at the latest.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The link that does it instead.
pub(super) struct Other {
    link: Arc<dyn Link>,
    states: watch::Receiver<LinkState>,
    /// Its state was set since the last look, be it to what it was.
    is_new: bool,
    /// It was ready once, or failed to be.
    has_settled: bool,
    /// The server is to be asked again, since it has connected anew or the server has said nothing when it was asked.
    pub(super) ask_again: bool,
    /// How often in a row the server has said nothing.
    silences: u32,
}

/// What it has to say.
pub(super) enum News {
    /// It goes on. This is its state.
    Works(LinkState),
    /// It has connected anew, and is ready.
    Renewed,
    /// Nobody called it for long.
    Rests,
    /// It was closed, and not by us.
    Ended,
}

impl Other {
    pub(super) fn new(link: Arc<dyn Link>) -> Self {
        link.connect();
        Self {
            states: link.state(),
            link,
            is_new: true,
            has_settled: false,
            ask_again: false,
            silences: 0,
        }
    }

    pub(super) fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    /// Waits until it has something to say.
    pub(super) async fn changed(&mut self) {
        // One that is gone has nothing more to say; its last state was that it is closed.
        if self.states.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.is_new = true;
    }

    pub(super) fn news(&mut self) -> News {
        // Between two looks it may have lost a connection and made another, which leaves its state as it was.
        let is_new = std::mem::take(&mut self.is_new) || self.states.has_changed().unwrap_or(false);
        let state = self.states.borrow_and_update().clone();
        match state {
            LinkState::Ready if self.has_settled && is_new => {
                self.ask_again = true;
                self.silences = 0;
                return News::Renewed;
            }
            LinkState::Ready | LinkState::Failing(_) => self.has_settled = true,
            LinkState::Connecting => {}
            LinkState::Idle if !self.has_settled => return News::Works(LinkState::Connecting),
            LinkState::Idle => return News::Rests,
            LinkState::Closed => return News::Ended,
        }
        News::Works(state)
    }

    /// The server was asked, and has said nothing. How long after that it is to be asked again.
    pub(super) fn note_silence(&mut self) -> Duration {
        self.ask_again = true;
        let times = 1_u32.checked_shl(self.silences).unwrap_or(u32::MAX);
        self.silences = self.silences.saturating_add(1);
        BETWEEN_TRIES.saturating_mul(times).min(LONGEST_PAUSE)
    }

    /// Lets calls on it end, and then it goes.
    pub(super) fn leave(mut self, tasks: &mut JoinSet<()>) {
        self.link.close();
        tasks.spawn(async move {
            let _ = self
                .states
                .wait_for(|state| matches!(state, LinkState::Closed))
                .await;
        });
    }
}
