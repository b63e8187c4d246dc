//! The sampler: once in an interval, a report.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    LoadReporter,
    count::Counted,
    machine::Machine,
    window::{Sample, Window},
};

/// So long after the last call it goes on: calls may be rare, and an answer without a report tells a balancer nothing.
const AWAKE: Duration = Duration::from_secs(10);

impl LoadReporter {
    /// Makes reports for as long as it is polled. The server does that; it never ends by itself.
    pub async fn run(&self) -> Infallible {
        self.run_on(Machine::here()).await
    }

    /// The same, on a machine that is described by other files.
    #[doc(hidden)]
    pub async fn run_on(&self, machine: Machine) -> Infallible {
        if !self.0.config.measure {
            return std::future::pending().await;
        }
        let mut known = Counted::default();
        loop {
            self.called(known).await;
            // What woke us belongs to the first interval.
            let mut window = Window::new(Sample {
                counted: known,
                ..self.sample(&machine)
            });
            let mut last_call = Instant::now();
            while last_call.elapsed() < AWAKE {
                sleep(self.0.config.interval()).await;
                let before = window.last().counted;
                window.push(self.sample(&machine));
                if window.last().counted != before || before.in_flight() > 0 || self.0.has_streams() {
                    last_call = Instant::now();
                }
                self.0.publish(Some(window.report(self.0.set())));
            }
            // What it says is soon no longer so.
            self.0.publish(None);
            known = window.last().counted;
        }
    }

    /// Waits until there is more to report on than what is known.
    async fn called(&self, known: Counted) {
        loop {
            self.0.fall_asleep();
            // Looked at after that: what began in between wakes nobody.
            let counted = self.0.counts.read();
            if counted.began != known.began || counted.in_flight() > 0 || self.0.has_streams() {
                return;
            }
            self.0.wake.notified().await;
        }
    }

    fn sample(&self, machine: &Machine) -> Sample {
        Sample {
            at: Instant::now(),
            counted: self.0.counts.read(),
            machine: machine.read(),
        }
    }
}
