//! Whether the calls on a connection are so many that more connections serve them better.

use std::time::Duration;

use tokio::time::Instant;

use super::Life;
use crate::BuildError;

/// With fewer calls at a time, more connections only make the batches smaller in which they are written.
const LEAST_CALLS: usize = 8;

/// How many windows in a row must be above the bound: one may be a burst.
const WINDOWS: u32 = 4;

/// A window lasts for at least so long, or calls that all begin at one moment would be many windows.
const WINDOW: Duration = Duration::from_millis(25);

/// Between two looks at the clock as many calls begin as in half a window at the bound, but at least so many.
const LEAST_PACE: u32 = 64;

/// When calls to an address are spread over more connections, because they are too many for the task and the lock of one.
///
/// One more is made, within [`connections`](Self::connections), when one has begun more than
/// [`calls_per_second`](Self::calls_per_second) for some tenth of a second, with at least eight under way. One is closed again,
/// and after as long another, once none has begun a quarter of that, with at least four under way, for the link's
/// [`shrink_after`](super::LinkConfig::shrink_after). Start from the default and change fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spread {
    /// Up to how many connections are made for that, 1 to 64; with 1 nothing is spread. Default: 4.
    pub connections: usize,
    /// How many calls a second are too many for one connection, at least 1. Default: 5,000.
    pub calls_per_second: u32,
}

/// Measures the calls of a connection, for its task to note at each turn.
#[derive(Debug)]
pub struct Demand {
    /// How many calls a second are too many.
    bound: f64,
    /// How many calls there are between two looks at the clock.
    pace: u32,
    /// How many calls had been begun by when the window began, and when that was.
    begun: u32,
    since: Instant,
    /// How many had been when the clock was read last.
    looked: u32,
    /// How many windows in a row had too many.
    in_a_row: u32,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            connections: 4,
            calls_per_second: 5000,
        }
    }
}

impl Spread {
    /// Spreads nothing.
    pub const NONE: Self = Self {
        connections: 1,
        calls_per_second: u32::MAX,
    };

    /// Finds what cannot work.
    ///
    /// # Errors
    /// Names the field, as part of the settings of a transport: `spread.connections`.
    pub fn check(&self) -> Result<(), BuildError> {
        if !(1..=64).contains(&self.connections) {
            return Err(BuildError::new("spread.connections", "must be 1 to 64"));
        }
        if self.calls_per_second == 0 {
            return Err(BuildError::new("spread.calls_per_second", "must be at least 1"));
        }
        Ok(())
    }
}

impl Demand {
    /// Of a connection that begins now; `None` if nothing is spread.
    pub fn new(spread: Spread) -> Option<Self> {
        (spread.connections > 1).then(|| Self {
            bound: spread.calls_per_second.into(),
            pace: (spread.calls_per_second / 80).max(LEAST_PACE),
            begun: 0,
            since: Instant::now(),
            looked: 0,
            in_a_row: 0,
        })
    }

    /// Says how many calls are under way and how many were begun so far, and tells the link if they are many. Reads the clock
    /// only now and then.
    pub fn note(&mut self, under_way: usize, begun: u32, life: &Life) {
        if begun.wrapping_sub(self.looked) < self.pace {
            return;
        }
        self.looked = begun;
        let now = Instant::now();
        let lasted = now.duration_since(self.since);
        if lasted < WINDOW {
            return;
        }
        let (calls, time) = (begun.wrapping_sub(self.begun), lasted.as_secs_f64());
        (self.begun, self.since) = (begun, now);
        let is_above = |bound: f64| f64::from(calls) > bound * time;
        self.in_a_row = if under_way >= LEAST_CALLS && is_above(self.bound) {
            self.in_a_row + 1
        } else {
            0
        };
        if self.in_a_row == WINDOWS {
            self.in_a_row = 0;
            life.note_pressed();
        }
        // With less than a quarter on each of two, one would have less than half of what makes another, and of more the rest even
        // less: between that and the bound nothing changes.
        if under_way >= LEAST_CALLS / 2 && is_above(self.bound / 4.0) {
            life.note_needed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::sync::Notify;

    use super::*;

    struct Measured {
        demand: Demand,
        life: Life,
        begun: u32,
    }

    impl Measured {
        /// Bears a hundred thousand calls a second.
        fn new() -> Self {
            let spread = Spread {
                calls_per_second: 100_000,
                ..Spread::default()
            };
            Self {
                demand: Demand::new(spread).expect("it spreads"),
                life: Life::new(&Arc::new(Notify::new()), false),
                begun: u32::MAX - 50_000,
            }
        }

        /// So many calls a second for a tenth of a second, with so many under way. Whether more are wanted, and whether these
        /// are needed.
        async fn tenth(&mut self, per_second: u32, under_way: usize) -> (bool, bool) {
            for _ in 0..100 {
                tokio::time::advance(Duration::from_millis(1)).await;
                self.begun = self.begun.wrapping_add(per_second / 1000);
                self.demand.note(under_way, self.begun, &self.life);
            }
            (self.life.take_pressed(), self.life.take_needed())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn more_are_wanted_when_the_calls_are_above_the_bound_for_a_tenth_of_a_second() {
        let mut measured = Measured::new();
        // What was begun before it was noted first is far above it.
        measured.tenth(1000, 0).await;
        let mut wanted = Vec::new();
        for _ in 0..7 {
            wanted.push(measured.tenth(110_000, 64).await.0);
        }
        assert_eq!(wanted[..2], [false, true], "not at once");
        assert!(
            wanted[2..].iter().filter(|wanted| **wanted).count() >= 2,
            "{wanted:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_begin_at_one_moment_want_no_more() {
        let mut measured = Measured::new();
        for _ in 0..20 {
            for _ in 0..50 {
                measured.begun = measured.begun.wrapping_add(1000);
                measured.demand.note(5000, measured.begun, &measured.life);
            }
            assert!(!measured.tenth(0, 5000).await.0);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_calls_at_a_time_want_no_more() {
        let mut measured = Measured::new();
        for _ in 0..10 {
            assert_eq!(measured.tenth(1_000_000, 3).await, (false, false));
        }
        for _ in 0..10 {
            assert!(!measured.tenth(1_000_000, 7).await.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn between_a_quarter_and_the_bound_they_are_kept() {
        let mut measured = Measured::new();
        for (rate, needed) in [(90_000, true), (30_000, true), (20_000, false), (1000, false)] {
            // Until the last window of the rate before is over.
            for _ in 0..120 {
                assert!(!measured.tenth(rate, 64).await.0, "{rate}");
            }
            let mut any = false;
            for _ in 0..10 {
                any |= measured.tenth(rate, 64).await.1;
            }
            assert_eq!(any, needed, "{rate}");
        }
    }

    #[test]
    fn it_names_the_field_that_is_wrong() {
        let field = |spread: Spread| spread.check().err().map(|error| error.field().to_owned());
        let default = Spread::default();
        assert_eq!(field(default), None);
        assert_eq!(field(Spread::NONE), None);
        assert!(Demand::new(Spread::NONE).is_none());
        for connections in [0, 65] {
            let wrong = Spread {
                connections,
                ..default
            };
            assert_eq!(field(wrong).as_deref(), Some("spread.connections"));
        }
        let wrong = Spread {
            calls_per_second: 0,
            ..default
        };
        assert_eq!(field(wrong).as_deref(), Some("spread.calls_per_second"));
    }
}
