//! The clock of a queue: instants as numbers, and the timer.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::{
    driver::Timer,
    slots::{Moment, NEVER},
};

/// What lies before it is before the queue was made.
const BASE: Moment = 1 << 63;

/// Counts nanoseconds from one instant on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn moment(self, at: Instant) -> Moment {
        match at.checked_duration_since(self.0) {
            Some(after) => BASE.saturating_add(after.as_nanos() as u64).min(NEVER - 1),
            None => BASE.saturating_sub((self.0 - at).as_nanos() as u64),
        }
    }

    fn instant(self, moment: Moment) -> Instant {
        match moment.checked_sub(BASE) {
            Some(after) => self.0 + Duration::from_nanos(after),
            // It was an instant before, so there is one.
            None => self
                .0
                .checked_sub(Duration::from_nanos(BASE - moment))
                .unwrap_or(self.0),
        }
    }
}

/// A timer of tokio's, which is there while it is armed.
pub(super) struct Alarm {
    clock: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, sleep: None }
    }
}

impl Timer for Alarm {
    fn poll(&mut self, at: Moment, cx: &mut Poller<'_>) -> Poll<Moment> {
        let at = self.clock.instant(at);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        let clock = self.clock;
        sleep.as_mut().poll(cx).map(|()| clock.moment(Instant::now()))
    }

    fn rest(&mut self) {
        self.sleep = None;
    }
}
