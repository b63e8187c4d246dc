//! Which threads run what, and on which CPU.

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use tokio::runtime::{Builder, Handle, Runtime};

/// How the threads of both sides are laid out. See the crate's docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A one-worker runtime a side, all on one CPU.
    OneCpu,
    /// One runtime of two workers for both sides, not pinned.
    Shared,
    /// A one-worker runtime a side, each on its own CPU.
    Apart,
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::OneCpu, Self::Shared, Self::Apart];

    /// As it is called in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCpu => "one-cpu",
            Self::Shared => "shared",
            Self::Apart => "apart",
        }
    }

    /// The runtimes of a subject.
    pub(crate) fn runtimes(self) -> Runtimes {
        match self {
            Self::OneCpu => Runtimes {
                client: pinned(0),
                server: Some(pinned(0)),
            },
            Self::Apart => Runtimes {
                client: pinned(0),
                server: Some(pinned(1)),
            },
            Self::Shared => {
                let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
                Runtimes {
                    client: runtime.expect("a runtime"),
                    server: None,
                }
            }
        }
    }
}

/// The runtimes of one subject.
pub(crate) struct Runtimes {
    client: Runtime,
    server: Option<Runtime>,
}

impl Runtimes {
    pub(crate) fn client(&self) -> &Handle {
        self.client.handle()
    }

    pub(crate) fn server(&self) -> &Handle {
        self.server.as_ref().unwrap_or(&self.client).handle()
    }

    /// One side of [`Shape::Apart`], for a process that is only that side.
    pub(crate) fn of_client() -> Runtime {
        pinned(0)
    }

    /// The other side.
    pub(crate) fn of_server() -> Runtime {
        pinned(1)
    }
}

/// Lets this thread run on one CPU alone.
pub(crate) fn pin(cpu: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

fn pinned(cpu: usize) -> Runtime {
    let cpu = cpu % std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || {
            if let Err(error) = pin(cpu) {
                eprintln!(
                    "a thread could not be pinned to CPU {cpu}: {error}; the shapes are not what they say"
                );
            }
        })
        .build()
        .expect("a runtime")
}
