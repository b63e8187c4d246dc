//! What is measured: every cell, with all subjects interleaved.

use crate::{
    measure::{Sample, measure},
    options::Options,
    shape::{Runtimes, Shape},
    subjects::{RpcGrpc, RpcLocal, Subject, Tonic},
};

/// One line of the table, for all subjects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    pub(crate) scenario: Scenario,
    pub(crate) payload: usize,
    pub(crate) concurrency: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Unary,
    ServerStreaming,
}

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server-streaming",
        }
    }
}

/// The samples of one subject in one cell.
pub(crate) struct Row {
    pub(crate) cell: Cell,
    pub(crate) subject: &'static str,
    pub(crate) samples: Vec<Sample>,
}

/// Above this, what others used of the machine spoils a round.
const OTHERS_LIMIT: f64 = 0.05;
/// How often a spoilt round is measured again.
const AGAIN: usize = 2;

impl Cell {
    pub(crate) fn name(&self) -> String {
        let Self {
            shape,
            scenario,
            payload,
            concurrency,
        } = self;
        format!("{} {} {payload} B x{concurrency}", shape.name(), scenario.name())
    }

    /// Those of `--quick`: the cells with goals, and one of each other kind.
    fn is_quick(&self) -> bool {
        match (self.scenario, self.payload, self.concurrency) {
            (Scenario::Unary, 0 | 1024, 64) => true,
            (Scenario::Unary, 0, 1) | (Scenario::Unary, 65536, 64) | (Scenario::ServerStreaming, 1024, 1) => {
                self.shape == Shape::OneCpu
            }
            _ => false,
        }
    }
}

/// Measures everything that the options ask for.
pub(crate) fn run(options: &Options) -> Vec<Row> {
    Shape::ALL
        .into_iter()
        .flat_map(|shape| run_shape(shape, options))
        .collect()
}

fn run_shape(shape: Shape, options: &Options) -> Vec<Row> {
    let cells: Vec<Cell> = all(shape)
        .filter(|cell| !options.quick || cell.is_quick())
        .filter(|cell| {
            options
                .only
                .as_ref()
                .is_none_or(|text| cell.name().contains(text))
        })
        .collect();
    if cells.is_empty() {
        return Vec::new();
    }
    let wanted = |name: &str| options.subject.as_ref().is_none_or(|subject| subject == name);
    let subjects: Vec<Box<dyn Measured>> = [
        start::<RpcGrpc>(shape, wanted),
        start::<RpcLocal>(shape, wanted),
        start::<Tonic>(shape, wanted),
    ]
    .into_iter()
    .flatten()
    .collect();
    cells
        .into_iter()
        .flat_map(|cell| run_cell(cell, &subjects, options))
        .collect()
}

fn run_cell(cell: Cell, subjects: &[Box<dyn Measured>], options: &Options) -> Vec<Row> {
    eprintln!("{}", cell.name());
    let mut rows: Vec<Row> = subjects
        .iter()
        .filter(|subject| subject.takes(cell))
        .map(|subject| Row {
            cell,
            subject: subject.name(),
            samples: Vec::new(),
        })
        .collect();
    for _ in 0..options.rounds {
        for (row, subject) in rows
            .iter_mut()
            .zip(subjects.iter().filter(|subject| subject.takes(cell)))
        {
            let mut sample = subject.measure(cell, options.window);
            for _ in 0..AGAIN {
                if sample.others > OTHERS_LIMIT {
                    sample = subject.measure(cell, options.window);
                }
            }
            row.samples.push(sample);
        }
    }
    rows
}

fn all(shape: Shape) -> impl Iterator<Item = Cell> {
    let unary = [0, 1024, 65536].into_iter().flat_map(move |payload| {
        [1, 64, 512].map(|concurrency| Cell {
            shape,
            scenario: Scenario::Unary,
            payload,
            concurrency,
        })
    });
    let streaming = [0, 1024, 65536].into_iter().flat_map(move |payload| {
        [1, 64].map(|concurrency| Cell {
            shape,
            scenario: Scenario::ServerStreaming,
            payload,
            concurrency,
        })
    });
    unary.chain(streaming)
}

/// A subject whose type is forgotten between windows, never inside one.
trait Measured {
    fn name(&self) -> &'static str;
    fn takes(&self, cell: Cell) -> bool;
    fn measure(&self, cell: Cell, window: std::time::Duration) -> Sample;
}

struct Running<S> {
    subject: S,
    runtimes: Runtimes,
}

fn start<S: Subject>(shape: Shape, wanted: impl Fn(&str) -> bool) -> Option<Box<dyn Measured>> {
    if !wanted(S::NAME) {
        return None;
    }
    let runtimes = shape.runtimes();
    Some(Box::new(Running {
        subject: S::start(&runtimes),
        runtimes,
    }))
}

impl<S: Subject> Measured for Running<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    /// In process there is neither a connection to share nor a message to copy: a lone call says it all.
    fn takes(&self, cell: Cell) -> bool {
        !S::IN_PROCESS || (cell.concurrency == 1 && cell.scenario == Scenario::Unary)
    }

    fn measure(&self, cell: Cell, window: std::time::Duration) -> Sample {
        measure(self.runtimes.client(), &self.subject.caller(), cell, window)
    }
}
