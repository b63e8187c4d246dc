//! One timer for all clocks of a connection.

use std::{pin::Pin, task::Context as Poller};

use tokio::time::{Instant, Sleep};

use super::Alarm;

/// Rings an [`Alarm`] when the first of some clocks is due. It is there while one runs.
///
/// A clock that is put off does not touch it: it rings too early then, which costs one look.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it is to ring.
    armed: Option<Instant>,
}

impl Timer {
    /// After the alarm has rung: takes note of whether this was why.
    pub fn poll(&mut self, alarm: &Alarm) {
        let mut cx = Poller::from_waker(alarm.waker());
        if let Some(sleep) = &mut self.sleep
            && sleep.as_mut().poll(&mut cx).is_ready()
        {
            *self = Self::default();
        }
    }

    /// Sets it to the first of these clocks, unless it rings before that anyway.
    ///
    /// # Panics
    /// Outside of a tokio runtime with a timer.
    #[inline]
    pub fn arm<const N: usize>(&mut self, clocks: [Option<Instant>; N], alarm: &Alarm) {
        let next = clocks.into_iter().flatten().min();
        if let Some(next) = next.filter(|next| self.armed.is_none_or(|armed| *next < armed)) {
            self.set(next, alarm);
        }
    }

    fn set(&mut self, next: Instant, alarm: &Alarm) {
        self.armed = Some(next);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                sleep.as_mut().reset(next);
                sleep
            }
            None => self.sleep.insert(Box::pin(tokio::time::sleep_until(next))),
        };
        // Tells it whom to wake. Should it be due already, it is looked at in the next turn.
        let mut cx = Poller::from_waker(alarm.waker());
        if sleep.as_mut().poll(&mut cx).is_ready() {
            *self = Self::default();
            alarm.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Time goes on, and the alarm is looked at.
    async fn rings_within(time: Duration, alarm: &Alarm) -> bool {
        tokio::time::sleep(time).await;
        alarm.take()
    }

    #[tokio::test(start_paused = true)]
    async fn rings_for_the_earliest() {
        let (mut timer, alarm, start) = (Timer::default(), Alarm::new(), Instant::now());
        assert!(alarm.take(), "a new one has rung");
        timer.arm([Some(start + 30 * MS), None, Some(start + 10 * MS)], &alarm);
        assert!(!rings_within(9 * MS, &alarm).await);
        assert!(rings_within(2 * MS, &alarm).await);
        timer.poll(&alarm);
        timer.arm([Some(start + 30 * MS)], &alarm);
        assert!(!rings_within(18 * MS, &alarm).await);
        assert!(rings_within(2 * MS, &alarm).await);
    }

    #[tokio::test(start_paused = true)]
    async fn is_set_forward_and_not_back() {
        let (mut timer, alarm, start) = (Timer::default(), Alarm::new(), Instant::now());
        alarm.take();
        timer.arm([Some(start + 20 * MS)], &alarm);
        timer.arm([Some(start + 50 * MS)], &alarm);
        timer.arm([Some(start + 10 * MS)], &alarm);
        timer.arm([None], &alarm);
        assert!(!rings_within(9 * MS, &alarm).await);
        assert!(rings_within(2 * MS, &alarm).await);
        timer.poll(&alarm);
        assert!(!rings_within(100 * MS, &alarm).await, "it was for that one only");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_already_rings_at_once() {
        let (mut timer, alarm, start) = (Timer::default(), Alarm::new(), Instant::now());
        alarm.take();
        tokio::time::sleep(5 * MS).await;
        timer.arm([Some(start + MS)], &alarm);
        assert!(alarm.take());
    }
}
