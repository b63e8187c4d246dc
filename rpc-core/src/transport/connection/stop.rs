//! The server's stop, as the task of a connection follows it.

use std::{fmt, task::Context as Poller};

use super::Alarm;
use crate::{
    BoxFuture,
    transport::{Drain, DrainPhase},
};

/// Tells a connection of each phase of the server's stop, once.
pub struct Stop(Option<(DrainPhase, BoxFuture<'static, Drain>)>);

impl Stop {
    /// Of a server.
    pub fn new(drain: Drain) -> Self {
        Self(Some(wait_for(drain, DrainPhase::Draining)))
    }

    /// After the alarm has rung: the phase that was reached since the last question, if one was. To be asked until there is
    /// none, since one that is skipped is told with the one after it. A server that is gone is at
    /// [`DrainPhase::Cancelling`].
    pub fn poll(&mut self, alarm: &Alarm) -> Option<DrainPhase> {
        let (awaited, future) = self.0.as_mut()?;
        let mut cx = Poller::from_waker(alarm.waker());
        let std::task::Poll::Ready(drain) = future.as_mut().poll(&mut cx) else {
            return None;
        };
        // A server that is gone never says so.
        let reached = if drain.phase() < *awaited {
            DrainPhase::Cancelling
        } else {
            drain.phase()
        };
        self.0 = match reached {
            DrainPhase::Serving | DrainPhase::Draining => Some(wait_for(drain, DrainPhase::EndingStreams)),
            DrainPhase::EndingStreams => Some(wait_for(drain, DrainPhase::Cancelling)),
            DrainPhase::Cancelling => None,
        };
        Some(reached)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = self.0.as_ref().map(|(awaited, _)| awaited);
        f.debug_struct("Stop")
            .field("awaited", &awaited)
            .finish_non_exhaustive()
    }
}

fn wait_for(mut drain: Drain, phase: DrainPhase) -> (DrainPhase, BoxFuture<'static, Drain>) {
    let future = Box::pin(async move {
        drain.reached(phase).await;
        drain
    });
    (phase, future)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that it tells now.
    fn told(stop: &mut Stop, alarm: &Alarm) -> Vec<DrainPhase> {
        std::iter::from_fn(|| stop.poll(alarm)).collect()
    }

    #[tokio::test]
    async fn tells_each_phase_and_rings_for_it() {
        let (handle, drain) = Drain::new();
        let (mut stop, alarm) = (Stop::new(drain), Alarm::new());
        assert!(alarm.take());
        assert_eq!(told(&mut stop, &alarm), []);
        for phase in [
            DrainPhase::Draining,
            DrainPhase::EndingStreams,
            DrainPhase::Cancelling,
        ] {
            assert!(!alarm.take());
            handle.advance(phase);
            assert!(alarm.take(), "{phase:?}");
            assert_eq!(told(&mut stop, &alarm), [phase]);
        }
        assert_eq!(told(&mut stop, &alarm), [], "nothing comes after that");
    }

    #[tokio::test]
    async fn a_phase_that_was_skipped_is_in_the_next_one() {
        let (handle, drain) = Drain::new();
        let (mut stop, alarm) = (Stop::new(drain), Alarm::new());
        handle.advance(DrainPhase::EndingStreams);
        assert_eq!(told(&mut stop, &alarm), [DrainPhase::EndingStreams]);
        handle.advance(DrainPhase::Cancelling);
        assert_eq!(told(&mut stop, &alarm), [DrainPhase::Cancelling]);
    }

    #[tokio::test]
    async fn a_server_that_is_gone_has_stopped() {
        let (handle, drain) = Drain::new();
        let (mut stop, alarm) = (Stop::new(drain), Alarm::new());
        assert_eq!(told(&mut stop, &alarm), []);
        alarm.take();
        drop(handle);
        assert!(alarm.take());
        assert_eq!(told(&mut stop, &alarm), [DrainPhase::Cancelling]);
    }
}
