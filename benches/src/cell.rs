//! What is measured: a shape, a scenario, a payload, and how many calls are in flight.

use crate::shape::Shape;

/// The program without the peers that change the features of others' dependencies.
pub(crate) const PLAIN: &str = "plain";

/// One line of the table, for all subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Which threads run what.
    pub shape: Shape,
    /// What a call is.
    pub scenario: Scenario,
    /// Bytes of a message.
    pub payload: usize,
    /// Calls that are in flight at once. In an open loop there is no such number: 0.
    pub concurrency: usize,
}

/// What a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Bytes there and back.
    Unary,
    /// The same, from a handler that is pending once.
    UnaryYield,
    /// A message there, many back.
    ServerStreaming,
    /// An empty unary call through layers on the client's side.
    Layers(Layers),
    /// An empty unary call in process, through six layers a side that have nothing to do.
    Frame,
    /// Unary calls at a fixed rate, whether the answers come or not.
    OpenLoop {
        /// Calls that are due each second.
        per_second: u32,
    },
    /// A busy connection among idle ones.
    Connections,
    /// Channels that are not connected.
    Channels,
    /// The choice of an endpoint, without a call.
    Pick,
    /// Unary calls at a fixed rate to a fleet in which an instance falls sick.
    Recovery,
}

/// What the six layers of [`Scenario::Layers`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// There are none.
    None,
    /// Hooks that count, installed with the client's builder.
    Hooks,
    /// Stages that count and pass on, each behind a box.
    Boxed,
    /// tower layers of a user's, installed with the client's builder.
    Tower,
}

impl Layers {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Hooks, Self::Boxed, Self::Tower];
}

impl Scenario {
    /// As it is called in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::UnaryYield => "unary-yield",
            Self::ServerStreaming => "server-streaming",
            Self::Layers(Layers::None) => "layers-none",
            Self::Layers(Layers::Hooks) => "layers-hooks",
            Self::Layers(Layers::Boxed) => "layers-boxed",
            Self::Layers(Layers::Tower) => "layers-tower",
            Self::Frame => "frame",
            Self::OpenLoop { .. } => "open-loop",
            Self::Connections => "connections",
            Self::Channels => "channels",
            Self::Pick => "pick",
            Self::Recovery => "recovery",
        }
    }
}

impl Cell {
    /// A lone line of text that `--only` looks in.
    pub fn name(&self) -> String {
        let (shape, scenario) = (self.shape.name(), self.scenario.name());
        match self.scenario {
            Scenario::OpenLoop { per_second } => {
                format!("{shape} {scenario} {} B {per_second}/s", self.payload)
            }
            _ => format!("{shape} {scenario} {} B x{}", self.payload, self.concurrency),
        }
    }

    /// Those of `--quick`: the cells with goals, and one of each other kind that takes little time. A program that is there
    /// for the sake of some peers has the cells in which these have a goal.
    pub(crate) fn is_quick(&self, build: &str) -> bool {
        let one_cpu = self.shape == Shape::OneCpu;
        if build != PLAIN {
            return matches!(
                (self.scenario, self.payload, self.concurrency),
                (Scenario::Unary, 0 | 1024, 64) | (Scenario::UnaryYield, 0, 64)
            );
        }
        match (self.scenario, self.payload, self.concurrency) {
            (Scenario::Unary, 0 | 1024 | 65536, 64)
            | (Scenario::UnaryYield, 0, 64)
            | (Scenario::Frame | Scenario::Layers(_), 0, 1) => true,
            (Scenario::Unary, 0, 1) | (Scenario::ServerStreaming, 1024, 1) => one_cpu,
            (Scenario::Unary, 0, 512) => self.shape == Shape::Apart,
            _ => false,
        }
    }
}

/// All cells of a shape, in the order in which they are measured.
pub(crate) fn all(shape: Shape) -> Vec<Cell> {
    let cell = |scenario, payload, concurrency| Cell {
        shape,
        scenario,
        payload,
        concurrency,
    };
    let mut cells = Vec::new();
    for payload in [0, 1024, 65536] {
        cells.extend([1, 64, 512].map(|concurrency| cell(Scenario::Unary, payload, concurrency)));
    }
    cells.extend([1, 64].map(|concurrency| cell(Scenario::UnaryYield, 0, concurrency)));
    for payload in [0, 1024, 65536] {
        cells.extend([1, 64].map(|concurrency| cell(Scenario::ServerStreaming, payload, concurrency)));
    }
    match shape {
        Shape::OneCpu => {
            for concurrency in [1, 64] {
                cells.extend(Layers::ALL.map(|layers| cell(Scenario::Layers(layers), 0, concurrency)));
            }
            cells.push(cell(Scenario::Frame, 0, 1));
        }
        Shape::Shared => {
            cells.extend([5_000, 20_000].map(|per_second| cell(Scenario::OpenLoop { per_second }, 0, 0)));
        }
        Shape::Apart => {}
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_cells_apart() {
        let mut names: Vec<String> = Shape::ALL
            .into_iter()
            .flat_map(all)
            .map(|cell| cell.name())
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
