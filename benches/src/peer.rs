//! Subjects whose types are forgotten: between measurements, never inside one.

use std::{fmt::Display, str::FromStr, time::Duration};

use crate::{
    cell::{Cell, Scenario},
    closed,
    connections::{self, Remote},
    open,
    sample::Sample,
    shape::{Runtimes, Shape},
    subjects::Subject,
};

/// A subject that can be started.
#[derive(Clone, Copy)]
pub struct Peer {
    pub(crate) name: &'static str,
    pub(crate) takes: fn(&Cell) -> bool,
    pub(crate) start: fn(Shape) -> Box<dyn Running>,
    pub(crate) remote: Option<Remote>,
}

impl Peer {
    /// A subject both of whose sides are in this process.
    pub const fn new<S: Subject>() -> Self {
        Self {
            name: S::NAME,
            takes: S::takes,
            start: start::<S>,
            remote: None,
        }
    }

    /// A subject whose server may be another process.
    pub const fn with_sockets<S>() -> Self
    where
        S: Subject,
        S::Address: FromStr + Display,
    {
        Self {
            remote: Some(connections::remote::<S>()),
            ..Self::new::<S>()
        }
    }
}

/// A subject that was started.
pub(crate) trait Running {
    /// Measures one window of a cell that the subject takes.
    fn measure(&self, cell: &Cell, window: Duration) -> Sample;
}

struct Started<S> {
    subject: S,
    // Last: what the subject leaves running ends here.
    runtimes: Runtimes,
}

fn start<S: Subject>(shape: Shape) -> Box<dyn Running> {
    let runtimes = shape.runtimes();
    let address = runtimes.server().block_on(S::serve());
    let subject = runtimes.client().block_on(S::connect(address));
    Box::new(Started { subject, runtimes })
}

impl<S: Subject> Running for Started<S> {
    fn measure(&self, cell: &Cell, window: Duration) -> Sample {
        let (runtime, caller) = (self.runtimes.client(), self.subject.caller());
        match cell.scenario {
            Scenario::OpenLoop { per_second } => {
                open::measure(runtime, &caller, cell.payload, per_second, window)
            }
            _ => closed::measure(runtime, &caller, cell, window, S::AT_ONCE),
        }
    }
}
