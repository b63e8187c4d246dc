//! How many instances vanished lately without having said so.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::follow::HoldBack;

/// Counts of what vanished and what came new within the window, in slices of a sixtieth of it.
#[derive(Debug, Default)]
pub(super) struct Losses {
    slices: VecDeque<Slice>,
    lost: usize,
    gained: usize,
}

#[derive(Debug)]
struct Slice {
    since: Instant,
    lost: usize,
    gained: usize,
}

const SLICES: u32 = 60;

impl Losses {
    /// Instances came that were not there before.
    pub(super) fn gain(&mut self, instances: usize, now: Instant, config: &HoldBack) {
        self.forget(now, config);
        if instances > 0 {
            self.push(0, instances, now, config.window / SLICES);
        }
    }

    /// Suspects came back: they were no loss.
    pub(super) fn regain(&mut self, instances: usize) {
        let mut left = instances;
        for slice in self.slices.iter_mut().rev() {
            let taken = slice.lost.min(left);
            slice.lost -= taken;
            self.lost -= taken;
            left -= taken;
        }
    }

    /// So many out of `before` vanished; `true` if that is more than is believed.
    pub(super) fn lose(&mut self, instances: usize, before: usize, now: Instant, config: &HoldBack) -> bool {
        while self
            .slices
            .front()
            .is_some_and(|slice| now.duration_since(slice.since) >= config.window)
        {
            if let Some(slice) = self.slices.pop_front() {
                self.lost -= slice.lost;
                self.gained -= slice.gained;
            }
        }
        self.push(instances, 0, now, config.window / SLICES);
        let lost = self.lost.saturating_sub(self.gained);
        // With those that are left, as many as there were when the window began.
        let all = lost + before.saturating_sub(instances);
        #[allow(clippy::cast_precision_loss, reason = "numbers of instances are small")]
        let share = lost as f64 / all.max(1) as f64;
        lost > config.more_than && share > config.share
    }

    fn forget(&mut self, now: Instant, config: &HoldBack) {
        while self
            .slices
            .front()
            .is_some_and(|slice| now.duration_since(slice.since) >= config.window)
        {
            if let Some(slice) = self.slices.pop_front() {
                self.lost -= slice.lost;
                self.gained -= slice.gained;
            }
        }
    }

    fn push(&mut self, lost: usize, gained: usize, now: Instant, width: Duration) {
        self.lost += lost;
        self.gained += gained;
        match self.slices.back_mut() {
            Some(slice) if now.duration_since(slice.since) < width => {
                slice.lost += lost;
                slice.gained += gained;
            }
            _ => self.slices.push_back(Slice {
                since: now,
                lost,
                gained,
            }),
        }
    }
}
