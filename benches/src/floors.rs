//! What must hold, as ratios in one run: read from the JSON, one line each.

use std::fmt;

use crate::{
    cell::PLAIN,
    record::{Calls, Record},
    table::BASE,
};

const WITH_TARPC: &str = "with-tarpc";

/// One thing that must hold.
pub(crate) struct Floor {
    name: String,
    verdict: Verdict,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// The figure, and what it must at least be.
    AtLeast(f64, f64),
    /// The figure, and what it must at most be.
    AtMost(f64, f64),
    /// A row that it needs is not there, or all of its rounds were disturbed.
    NotMeasured,
}

impl Verdict {
    pub(crate) fn holds(self) -> Option<bool> {
        match self {
            // What is no number holds nothing.
            Self::AtLeast(figure, bound) => Some(figure >= bound),
            Self::AtMost(figure, bound) => Some(figure <= bound),
            Self::NotMeasured => None,
        }
    }
}

/// Everything that must hold, judged by these records.
pub(crate) fn all(records: &[Record]) -> Vec<Floor> {
    let mut floors = Floors {
        records,
        found: Vec::new(),
    };
    floors.framed();
    floors.grpc();
    floors.cheap_elsewhere();
    floors.frame();
    floors.connections();
    floors.picks();
    floors.found
}

/// Prints them. True if none fails; what was not measured fails nothing, and is counted.
pub(crate) fn print(floors: &[Floor]) -> bool {
    for floor in floors {
        println!("{floor}");
    }
    let count = |wanted| {
        floors
            .iter()
            .filter(|floor| floor.verdict.holds() == wanted)
            .count()
    };
    let (passed, failed, missing) = (count(Some(true)), count(Some(false)), count(None));
    println!("{passed} hold, {failed} fail, {missing} not measured");
    failed == 0
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = match self.verdict.holds() {
            Some(true) => "ok",
            Some(false) => "FAIL",
            None => "none",
        };
        write!(f, "{label:<4}  {:<72}", self.name)?;
        match self.verdict {
            Verdict::AtLeast(figure, bound) => write!(f, "{figure:>9.2}  at least {bound}"),
            Verdict::AtMost(figure, bound) => write!(f, "{figure:>9.2}  at most {bound}"),
            Verdict::NotMeasured => write!(f, "        -  not measured"),
        }
    }
}

impl Floor {
    /// A line of a Markdown table.
    pub(crate) fn markdown(&self) -> String {
        let (figure, bound) = match self.verdict {
            Verdict::AtLeast(figure, bound) => (format!("{figure:.2}"), format!("at least {bound}")),
            Verdict::AtMost(figure, bound) => (format!("{figure:.2}"), format!("at most {bound}")),
            Verdict::NotMeasured => ("-".to_owned(), "not measured".to_owned()),
        };
        let holds = match self.verdict.holds() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "-",
        };
        format!("| {} | {figure} | {bound} | {holds} |", self.name)
    }
}

struct Floors<'a> {
    records: &'a [Record],
    found: Vec<Floor>,
}

/// Where a row is.
type Place<'a> = (&'a str, &'a str, &'a str, usize, usize);

impl Floors<'_> {
    fn framed(&mut self) {
        let framed = "rpc-framed";
        for (shape, tonic, tarpc, raw) in [
            ("one-cpu", 12.0, 4.0, 0.25),
            ("shared", 12.0, 2.0, 0.45),
            ("apart", 4.0, 2.0, 0.55),
        ] {
            self.speed((PLAIN, shape, "unary", 0, 64), framed, BASE, tonic);
            self.speed((PLAIN, shape, "unary", 0, 64), framed, "raw", raw);
            self.speed((WITH_TARPC, shape, "unary", 0, 64), framed, "tarpc", tarpc);
            self.speed((WITH_TARPC, shape, "unary-yield", 0, 64), framed, "tarpc", 1.2);
        }
        for shape in ["one-cpu", "shared"] {
            self.speed((PLAIN, shape, "unary", 65536, 64), framed, "raw", 0.9);
            self.speed((PLAIN, shape, "unary", 65536, 64), framed, BASE, 1.5);
        }
        self.speed((PLAIN, "one-cpu", "unary", 0, 1), framed, "raw", 0.8);
    }

    fn grpc(&mut self) {
        let grpc = "rpc-grpc";
        for (shape, small, large) in [("one-cpu", 1.8, 1.2), ("shared", 2.5, 1.2), ("apart", 1.8, 0.95)] {
            self.speed((PLAIN, shape, "unary", 0, 64), grpc, BASE, small);
            self.speed((PLAIN, shape, "unary", 1024, 64), grpc, BASE, small);
            self.speed((PLAIN, shape, "unary", 65536, 64), grpc, BASE, large);
            self.speed((PLAIN, shape, "unary-yield", 0, 64), grpc, BASE, 1.5);
        }
        let place = (PLAIN, "apart", "unary", 0, 512);
        self.ratio(
            place,
            grpc,
            BASE,
            "p99",
            |c| c.p99_us.unwrap_or(f64::NAN),
            |r| Verdict::AtMost(r, 0.25),
        );
    }

    /// In all other cells, gRPC takes no more CPU than its peer.
    fn cheap_elsewhere(&mut self) {
        let has_a_goal = |record: &Record| {
            record.concurrency == 64 && matches!(&*record.scenario, "unary" | "unary-yield")
        };
        let records = self.records;
        let cells = records.iter().filter(|record| {
            record.subject == "rpc-grpc"
                && record.build == PLAIN
                && !has_a_goal(record)
                && matches!(&*record.scenario, "unary" | "unary-yield" | "server-streaming")
        });
        for record in cells {
            let Record {
                shape,
                scenario,
                payload,
                concurrency,
                ..
            } = record;
            let place = (PLAIN, &**shape, &**scenario, *payload, *concurrency);
            self.ratio(
                place,
                "rpc-grpc",
                BASE,
                "CPU",
                |c| c.cpu_us_per_call,
                |r| Verdict::AtMost(r, 1.0),
            );
        }
    }

    fn frame(&mut self) {
        let local = |scenario| (PLAIN, "one-cpu", scenario, 0, 1);
        let frame = self.calls(local("frame"), "rpc-local");
        self.judge("frame, six layers a side: us of CPU", frame, |c| {
            Verdict::AtMost(c.cpu_us_per_call, 0.4)
        });
        self.judge("frame, six layers a side: allocations", frame, |c| {
            Verdict::AtMost(c.allocs_per_call.round(), 1.0)
        });
        let hooks = self.calls(local("layers-hooks"), "rpc-local");
        self.judge("in process with six hooks: us of CPU", hooks, |c| {
            Verdict::AtMost(c.cpu_us_per_call, 0.3)
        });
        let none = self.calls(local("layers-none"), "rpc-local");
        let both = hooks.zip(none);
        self.judge("six hooks alone: us of CPU", both, |(hooks, none)| {
            Verdict::AtMost(hooks.cpu_us_per_call - none.cpu_us_per_call, 0.15)
        });
        self.judge("six hooks alone: allocations", both, |(hooks, none)| {
            Verdict::AtMost((hooks.allocs_per_call - none.allocs_per_call).round(), 0.0)
        });
    }

    fn connections(&mut self) {
        let found = |idle: usize| {
            self.records.iter().find(|record| {
                record.scenario == "connections"
                    && record.subject == "rpc-framed"
                    && record.build == PLAIN
                    && record.idle == Some(idle)
            })
        };
        let (few, many) = (found(1), found(10_000));
        let heap = many.and_then(|many| many.heap_client_bytes.zip(many.heap_server_bytes));
        let p99 = |record: &Record| sound(record.calls.as_ref()?)?.p99_us;
        let p99 = few.and_then(p99).zip(many.and_then(p99));
        self.judge(
            "rpc-framed: KiB of heap for an idle connection, both ends",
            heap,
            |(client, server)| Verdict::AtMost((client + server) / 1024.0, 16.0),
        );
        self.judge(
            "rpc-framed: p99 among 10000 idle connections to p99 beside one",
            p99,
            |(few, many)| Verdict::AtMost(many / few, 1.2),
        );
    }

    /// Choosing takes no longer among many, but for what the caches do not hold.
    fn picks(&mut self) {
        for balancer in ["p2c", "least_request", "weighted"] {
            for (endpoints, nanos) in [(1_000, 100.0), (10_000, 150.0)] {
                let record = self.records.iter().find(|record| {
                    record.scenario == "pick"
                        && record.subject == balancer
                        && record.build == PLAIN
                        && record.endpoints == Some(endpoints)
                });
                let calls = record.and_then(|record| sound(record.calls.as_ref()?));
                self.judge(
                    &format!("{balancer}: ns of CPU to choose among {endpoints} endpoints"),
                    calls,
                    |calls| Verdict::AtMost(calls.cpu_us_per_call * 1e3, nanos),
                );
            }
        }
    }

    fn speed(&mut self, place: Place<'_>, subject: &str, over: &str, least: f64) {
        let both = self.calls(place, subject).zip(self.calls(place, over));
        self.judge(&name(place, subject, over, "calls/s"), both, |(of, base)| {
            Verdict::AtLeast(of.speed_over(over, base), least)
        });
    }

    fn ratio(
        &mut self,
        place: Place<'_>,
        subject: &str,
        over: &str,
        what: &str,
        figure: fn(&Calls) -> f64,
        judge: impl Fn(f64) -> Verdict,
    ) {
        let both = self.calls(place, subject).zip(self.calls(place, over));
        self.judge(&name(place, subject, over, what), both, |(of, base)| {
            judge(figure(of) / figure(base))
        });
    }

    fn judge<T>(&mut self, name: &str, rows: Option<T>, judge: impl FnOnce(T) -> Verdict) {
        self.found.push(Floor {
            name: name.to_owned(),
            verdict: rows.map_or(Verdict::NotMeasured, judge),
        });
    }
}

impl<'a> Floors<'a> {
    fn calls(&self, place: Place<'_>, subject: &str) -> Option<&'a Calls> {
        let (build, shape, scenario, payload, concurrency) = place;
        let record = self.records.iter().find(|record| {
            record.subject == subject
                && record.build == build
                && record.shape == shape
                && record.scenario == scenario
                && record.payload == payload
                && record.concurrency == concurrency
                && record.idle.is_none()
        });
        sound(record?.calls.as_ref()?)
    }
}

fn name(place: Place<'_>, subject: &str, over: &str, what: &str) -> String {
    let (_, shape, scenario, payload, concurrency) = place;
    format!("{subject} / {over}, {what}: {shape} {scenario} {payload} B x{concurrency}")
}

/// What was disturbed in every round is not judged.
fn sound(calls: &Calls) -> Option<&Calls> {
    calls.is_sound().then_some(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(build: &str, subject: &str, calls_per_second: f64) -> Record {
        Record {
            build: build.to_owned(),
            shape: "one-cpu".to_owned(),
            scenario: "unary".to_owned(),
            concurrency: 64,
            subject: subject.to_owned(),
            calls: Some(Calls {
                calls_per_second,
                ..Calls::default()
            }),
            ..Record::default()
        }
    }

    fn verdict(records: &[Record], name: &str) -> Verdict {
        let floors = all(records);
        let floor = floors.iter().find(|floor| floor.name == name);
        floor.unwrap_or_else(|| panic!("no floor `{name}`")).verdict
    }

    #[test]
    fn a_ratio_is_taken_inside_one_build() {
        let name = "rpc-grpc / tonic, calls/s: one-cpu unary 0 B x64";
        let mut records = vec![record(PLAIN, "rpc-grpc", 200.0), record(WITH_TARPC, BASE, 10.0)];
        assert_eq!(verdict(&records, name), Verdict::NotMeasured);
        records.push(record(PLAIN, BASE, 100.0));
        assert_eq!(verdict(&records, name), Verdict::AtLeast(2.0, 1.8));
        assert_eq!(verdict(&records, name).holds(), Some(true));
        records[2] = record(PLAIN, BASE, 150.0);
        assert_eq!(verdict(&records, name).holds(), Some(false));
    }

    #[test]
    fn nothing_measured_holds_nothing_and_fails_nothing() {
        let floors = all(&[]);
        assert!(!floors.is_empty());
        assert!(floors.iter().all(|floor| floor.verdict.holds().is_none()));
        assert!(print(&floors));
    }

    #[test]
    fn a_row_that_others_spoilt_counts_as_not_measured() {
        let name = "rpc-grpc / tonic, calls/s: one-cpu unary 0 B x64";
        let mut records = [record(PLAIN, "rpc-grpc", 200.0), record(PLAIN, BASE, 100.0)];
        for (disturbed, holds) in [(2, Some(true)), (3, None)] {
            let calls = records[1].calls.as_mut().unwrap();
            (calls.rounds, calls.rounds_disturbed) = (3, disturbed);
            assert_eq!(verdict(&records, name).holds(), holds);
        }
    }

    #[test]
    fn a_figure_that_is_no_number_fails() {
        assert_eq!(Verdict::AtLeast(f64::NAN, 1.0).holds(), Some(false));
        assert_eq!(Verdict::AtMost(f64::NAN, 1.0).holds(), Some(false));
    }

    #[test]
    fn an_idle_connection_counts_at_both_ends() {
        let found = |idle, p99_us| Record {
            scenario: "connections".to_owned(),
            shape: "apart".to_owned(),
            idle: Some(idle),
            heap_client_bytes: Some(10.0 * 1024.0),
            heap_server_bytes: Some(8.0 * 1024.0),
            calls: Some(Calls {
                p99_us: Some(p99_us),
                rounds: 3,
                ..Calls::default()
            }),
            ..record(PLAIN, "rpc-framed", 1.0)
        };
        let mut records = [found(1, 100.0), found(10_000, 110.0)];
        let heap = verdict(
            &records,
            "rpc-framed: KiB of heap for an idle connection, both ends",
        );
        assert_eq!(heap, Verdict::AtMost(18.0, 16.0));
        let name = "rpc-framed: p99 among 10000 idle connections to p99 beside one";
        assert_eq!(verdict(&records, name).holds(), Some(true));
        records[0].calls.as_mut().unwrap().rounds_disturbed = 3;
        assert_eq!(verdict(&records, name), Verdict::NotMeasured);
    }
}
