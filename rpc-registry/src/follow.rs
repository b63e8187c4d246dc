//! Keeps a watch going through faults.
//!
//! The pause after the n-th fault in a row is drawn evenly from 0 to `min(30 s, 0.5 s * 2^n)`: spreading it over the
//! whole range keeps a thousand clients from coming back to a restarted registry at the same instant, which a pause with
//! a few per cent of jitter does not.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{Resolver, Update, Watch};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The updates of a target, without end and without errors.
///
/// The first fault of a row comes out as one [`Update::Stale`]; then it is tried again, with growing pauses, until there
/// is something to tell.
pub struct Follow {
    watch: Box<dyn Watch>,
    random: fastrand::Rng,
    /// Faults since the last update.
    faults: u32,
    /// Not to be asked again before.
    resume_at: Option<Instant>,
}

impl Follow {
    /// Follows a resolver.
    pub fn new(resolver: &dyn Resolver) -> Self {
        Self {
            watch: resolver.watch(),
            random: fastrand::Rng::new(),
            faults: 0,
            resume_at: None,
        }
    }

    /// Draws the pauses from a seed, so that they can be had again.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.random = fastrand::Rng::with_seed(seed);
        self
    }

    /// The next update; waits while there is none.
    ///
    /// # Cancellation
    /// Dropping the future loses no update.
    pub async fn next(&mut self) -> Update {
        loop {
            if let Some(at) = self.resume_at {
                sleep_until(at).await;
                self.resume_at = None;
            }
            match self.watch.next().await {
                Ok(update) => {
                    self.faults = 0;
                    return update;
                }
                Err(fault) => {
                    let first = self.faults == 0;
                    let pause = pause(self.faults, &mut self.random);
                    tracing::debug!(%fault, ?pause, "the registry cannot be watched");
                    self.faults = self.faults.saturating_add(1);
                    self.resume_at = Some(Instant::now() + pause);
                    if first {
                        return Update::Stale(fault);
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

fn pause(faults: u32, random: &mut fastrand::Rng) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(1 << faults.min(16)).min(LONGEST_PAUSE);
    most.mul_f64(random.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_below_the_longest() {
        let mut random = fastrand::Rng::with_seed(7);
        for faults in [0, 1, 5, 6, 31, u32::MAX] {
            let most = FIRST_PAUSE.saturating_mul(1 << faults.min(16)).min(LONGEST_PAUSE);
            for _ in 0..1000 {
                assert!(pause(faults, &mut random) <= most);
            }
        }
    }
}
