//! Reads what `cargo test` prints: the counts, and the names of what failed or was ignored.
//!
//! libtest's JSON output is not stable; these lines are, in the sense that half of the ecosystem reads them.

/// What a run of `cargo test` came to. Feed it all lines, then [`finish`](Self::finish).
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
    pub(crate) ignored: Vec<String>,
    /// The binary or the crate whose output comes at the moment.
    subject: String,
    /// Nothing has been counted for the subject yet: it may have crashed.
    open: bool,
    /// Counted from result lines; names are only as good as the lines that carry them.
    failures: usize,
}

impl Tally {
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(binary) = line.strip_prefix("Running ") {
            self.begin(binary);
        } else if let Some(library) = line.strip_prefix("Doc-tests ") {
            self.begin(library);
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.result(result);
        } else if let Some((name, verdict)) = line
            .strip_prefix("test ")
            .and_then(|test| test.rsplit_once(" ... "))
        {
            let name = format!("{name} ({})", self.subject);
            if verdict == "FAILED" {
                self.failed.push(name);
            } else if verdict == "ignored" || verdict.starts_with("ignored,") {
                self.ignored.push(name);
            }
        }
    }

    /// Ends the run. `succeeded` is what cargo's exit code said.
    pub(crate) fn finish(&mut self, succeeded: bool) {
        self.close();
        // A failing test whose name line was torn apart by other output still counts.
        for _ in self.failed.len()..self.failures {
            self.failed.push("a test whose name could not be read".to_owned());
        }
        if !succeeded && self.failed.is_empty() {
            self.failed.push("cargo failed, and no test did".to_owned());
        }
        if succeeded && self.passed == 0 {
            self.failed.push("no test ran".to_owned());
        }
    }

    fn begin(&mut self, subject: &str) {
        // A quoted command line: a doc test or a build script of a nested cargo, not a test binary of ours.
        if subject.starts_with('`') {
            return;
        }
        self.close();
        binary_name(subject).clone_into(&mut self.subject);
        self.open = true;
    }

    /// Records a binary that printed no result: it crashed, or called `exit`.
    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.failed
                .push(format!("{} ended without a result", self.subject));
            self.failures += 1;
        }
    }

    fn result(&mut self, result: &str) {
        self.open = false;
        let count = |what: &str| -> usize {
            let field = result
                .split(['.', ';'])
                .find_map(|field| field.trim().strip_suffix(what));
            field.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed += count(" passed");
        self.failures += count(" failed");
    }
}

/// `unittests src/lib.rs (target/debug/deps/rpc_core-0123456789abcdef)` is `rpc_core`.
fn binary_name(subject: &str) -> &str {
    let Some((source, path)) = subject.split_once(" (") else {
        return subject;
    };
    let file = path
        .trim_end_matches(')')
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or(source);
    file.rsplit_once('-').map_or(file, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str, succeeded: bool) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.line(line));
        tally.finish(succeeded);
        tally
    }

    #[test]
    fn counts_of_all_binaries_add_up() {
        let tally = tally(
            "\
     Running unittests src/lib.rs (target/debug/deps/rpc_core-0123456789abcdef)

running 3 tests
test status::codes ... ok
test slow ... ignored, needs a fleet
test other ... ignored
test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/it/main.rs (target/debug/deps/it-0123456789abcdef)
test result: ok. 41 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s

   Doc-tests rpc_core
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
",
            true,
        );
        assert_eq!(tally.passed, 42);
        assert_eq!(tally.failed, [""; 0]);
        assert_eq!(tally.ignored, ["slow (rpc_core)", "other (rpc_core)"]);
    }

    #[test]
    fn failures_are_named_and_counted_once() {
        let tally = tally(
            "\
     Running tests/it/main.rs (/tmp/target/debug/deps/it-ab)
test reads ... ok
test writes ... FAILED
noise that hides a name test torn ... FAILED?

failures:
    writes
    torn

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
error: test failed, to rerun pass `-p rpc --test it`
",
            false,
        );
        assert_eq!(tally.passed, 1);
        assert_eq!(
            tally.failed,
            ["writes (it)", "a test whose name could not be read"]
        );
    }

    #[test]
    fn a_crashed_binary_counts_as_failed() {
        let tally = tally(
            "\
     Running unittests src/lib.rs (target/debug/deps/a-1)
test one ... ok
error: test failed, to rerun pass `-p a --lib`
Caused by:
  process didn't exit successfully: `target/debug/deps/a-1` (signal: 6, SIGABRT: process abort signal)
     Running unittests src/lib.rs (target/debug/deps/b-1)
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
",
            false,
        );
        assert_eq!(
            (tally.passed, tally.failed),
            (5, vec!["a ended without a result".to_owned()])
        );
    }

    #[test]
    fn an_empty_run_is_no_success() {
        assert_eq!(tally("", true).failed, ["no test ran"]);
        assert_eq!(
            tally("error: could not compile `a`", false).failed,
            ["cargo failed, and no test did"]
        );
    }
}
