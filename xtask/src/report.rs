//! What came of the parts: the summary and its closing line.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::error::{Error, Result};

/// What came of one part.
pub(crate) struct Outcome {
    name: &'static str,
    ci: bool,
    took: Duration,
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Outcome {
    /// Nothing has run yet. With `ci`, whatever is skipped fails.
    pub(crate) fn new(name: &'static str, ci: bool) -> Self {
        Self {
            name,
            ci,
            took: Duration::ZERO,
            passed: 0,
            failed: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Runs one check, and says how it went as soon as it is over.
    pub(crate) fn check(&mut self, name: impl fmt::Display, check: impl FnOnce() -> Result) {
        let start = Instant::now();
        let result = check();
        let took = seconds(start.elapsed());
        match result {
            Ok(()) => {
                println!("  ok {name} ({took})");
                self.passed += 1;
            }
            Err(error) => {
                println!("  {} {name} ({took}): {error}", self.label(&error));
                self.record(&name, &error);
            }
        }
    }

    /// Takes over the counts of a test run.
    pub(crate) fn add(&mut self, passed: usize, failed: Vec<String>, skipped: Vec<String>) {
        self.passed += passed;
        self.failed.extend(failed);
        for name in skipped {
            self.skip(name);
        }
    }

    /// How many passed so far.
    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    /// The part itself could not go on.
    pub(crate) fn broke(&mut self, error: &Error) {
        println!("  {}: {error}", self.label(error));
        self.record(&"the part itself", error);
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.took = time;
    }

    fn label(&self, error: &Error) -> &'static str {
        match error {
            Error::Missing(_) if !self.ci => "skipped",
            _ => "FAILED",
        }
    }

    fn record(&mut self, name: &dyn fmt::Display, error: &Error) {
        let text = error.to_string();
        // The output was shown where it happened; the summary repeats the first line.
        let why = text.lines().next().unwrap_or_default();
        match error {
            Error::Missing(_) => self.skip(format!("{name}: {why}")),
            Error::Failed(_) => self.failed.push(format!("{name}: {why}")),
        }
    }

    fn skip(&mut self, what: String) {
        if self.ci {
            self.failed
                .push(format!("{what} (skipped, which CI does not allow)"));
        } else {
            self.skipped.push(what);
        }
    }
}

/// Prints the summary, the closing line last. True if nothing failed.
pub(crate) fn summarise(outcomes: &[Outcome]) -> bool {
    print!("\n{}", Summary(outcomes));
    outcomes.iter().all(|outcome| outcome.failed.is_empty())
}

struct Summary<'a>(&'a [Outcome]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .0
            .iter()
            .map(|outcome| outcome.name.len())
            .max()
            .unwrap_or_default();
        writeln!(f, "== summary")?;
        let (mut passed, mut failed) = (0, 0);
        for outcome in self.0 {
            passed += outcome.passed;
            failed += outcome.failed.len();
            write!(
                f,
                "{:width$}  {:>9}  {:>5} passed  {:>3} failed",
                outcome.name,
                seconds(outcome.took),
                outcome.passed,
                outcome.failed.len()
            )?;
            match outcome.skipped.len() {
                0 => writeln!(f)?,
                skipped => writeln!(f, "  {skipped:>3} skipped")?,
            }
        }
        for (label, list) in [
            ("skipped", Outcome::skipped as fn(&Outcome) -> &[String]),
            ("failed", Outcome::failed),
        ] {
            for outcome in self.0 {
                for what in list(outcome) {
                    writeln!(f, "{label}: {}: {what}", outcome.name)?;
                }
            }
        }
        writeln!(f, "{passed} passed, {failed} failed")
    }
}

impl Outcome {
    fn skipped(&self) -> &[String] {
        &self.skipped
    }

    fn failed(&self) -> &[String] {
        &self.failed
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(ci: bool) -> Outcome {
        let mut outcome = Outcome::new("sample", ci);
        outcome.check("good", || Ok(()));
        outcome.check("bad", || Err(Error::Failed("it broke\nat length".to_owned())));
        outcome.check("absent", || Err(Error::Missing("no tool".to_owned())));
        outcome.add(7, vec!["a::b".to_owned()], vec!["c::d".to_owned()]);
        outcome
    }

    #[test]
    fn closing_line_is_last_and_alone() {
        let text = Summary(&[outcome(false)]).to_string();
        assert_eq!(text.lines().last(), Some("8 passed, 2 failed"));
        assert!(text.contains("\nskipped: sample: absent: no tool\n"), "{text}");
        assert!(text.contains("\nskipped: sample: c::d\n"), "{text}");
        assert!(text.contains("\nfailed: sample: bad: it broke\n"), "{text}");
    }

    #[test]
    fn ci_counts_what_is_skipped_as_failed() {
        let text = Summary(&[outcome(true)]).to_string();
        assert_eq!(text.lines().last(), Some("8 passed, 4 failed"));
        assert!(!text.contains("\nskipped:"), "{text}");
    }
}
