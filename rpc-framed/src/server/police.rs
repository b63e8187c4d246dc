//! What a peer may do that costs without being work.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::Broken;

/// So many pings at once, and one more after each of these pauses.
const PINGS: u32 = 16;
const PING_PAUSE: Duration = Duration::from_secs(1);

/// So many frames that lead to nothing, and so many more for each request: an answer and a CANCEL cross now and then.
const IDLE_FRAMES: u64 = 10_000;
const IDLE_FRAMES_PER_REQUEST: u64 = 16;

#[derive(Debug)]
pub(super) struct Police {
    pings: u32,
    filled: Instant,
    idle: u64,
    /// How many pings of ours are not answered.
    asked: u32,
}

impl Police {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            pings: PINGS,
            filled: now,
            idle: 0,
            asked: 0,
        }
    }

    /// The peer is asked whether it is there.
    pub(super) fn ask(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// Counts an answer to a ping, where nobody asked for it.
    ///
    /// # Errors
    /// If that is one too many for so many requests.
    pub(super) fn pong(&mut self, requests: u64) -> Result<(), Broken> {
        match self.asked.checked_sub(1) {
            Some(left) => {
                self.asked = left;
                Ok(())
            }
            None => self.idle(requests),
        }
    }

    /// # Errors
    /// If that is one ping too many.
    pub(super) fn ping(&mut self, now: Instant) -> Result<(), Broken> {
        let gained = (now - self.filled).as_nanos() / PING_PAUSE.as_nanos();
        if gained > 0 {
            self.pings = self
                .pings
                .saturating_add(u32::try_from(gained).unwrap_or(PINGS))
                .min(PINGS);
            self.filled = now;
        }
        self.pings = self.pings.checked_sub(1).ok_or(Broken("too many pings"))?;
        Ok(())
    }

    /// Counts a frame that leads to nothing.
    ///
    /// # Errors
    /// If that is one too many for so many requests.
    pub(super) fn idle(&mut self, requests: u64) -> Result<(), Broken> {
        self.idle += 1;
        if self.idle > IDLE_FRAMES + requests.saturating_mul(IDLE_FRAMES_PER_REQUEST) {
            return Err(Broken("too many frames that lead to nothing"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_come_in_bursts_and_then_slowly() {
        let start = Instant::now();
        let mut police = Police::new(start);
        for _ in 0..PINGS {
            police.ping(start).expect("it is within the burst");
        }
        assert!(police.ping(start).is_err());
        police.ping(start + PING_PAUSE).expect("it is one more");
        assert!(police.ping(start + PING_PAUSE).is_err());
    }

    #[test]
    fn requests_pay_for_frames_that_lead_to_nothing() {
        let mut police = Police::new(Instant::now());
        for _ in 0..IDLE_FRAMES {
            police.idle(0).expect("some are free");
        }
        assert!(police.idle(0).is_err());
        police.idle(1).expect("a request pays for it");
    }
}
