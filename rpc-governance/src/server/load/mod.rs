//! Load reports: a server says how busy it is.
//!
//! A [`LoadReporter`] counts calls, looks at CPU and memory once in an interval, and puts the
//! [report](rpc_core::load::LoadReport) into the trailers of each answer: of unary calls and of streams, of failures too.
//! With the feature `prost`, `StreamCoreMetrics` streams it to who asks without calls.
//!
//! | number | what it is |
//! | --- | --- |
//! | `cpu_utilization` | CPU time used, over what the cgroup's quota allows; without a quota, the share of the whole machine that is busy |
//! | `mem_utilization` | memory in use without what the kernel would give back at once, over the cgroup's limit; without one, that of the whole machine |
//! | `rps_fractional`, `eps` | calls that ended in a second, and those of them that the server is to blame for |
//! | `rpc.in_flight` | calls under way |
//! | `rpc.cores` | CPUs that the server may use |
//! | everything else | what the application says: [`LoadReporter::set_utilization`] and its like |
//!
//! Rates and CPU are means over the last four intervals, all over the same time, so that `rps / cpu`, of which gRPC's
//! weighted round robin (A58) makes its weights, is not torn apart by the edges of windows.
//!
//! # Place
//! The hook that counts stands outside of all others, so that what they refuse is counted. Health, reflection and the
//! stream of reports itself are neither counted nor answered with a report.
//!
//! # Cost
//! Off, nothing. On, four atomic additions and a look at a shared pointer a call, and one allocation for the trailers if
//! the answer had none; a stream costs a box. The report is encoded once in an interval. The sampler is part of the
//! server's own future: it reads a handful of small files under `/proc` and `/sys/fs/cgroup`, ends with the server, and
//! sleeps from ten seconds after the last call until the next. After such a sleep the answers of the first interval carry
//! no report: an old one would be worse than none.
//!
//! # Limits
//! Outside of Linux CPU and memory are not measured; the rest is. A quota above the cgroup that a container can see cannot
//! be seen from inside.

mod config;
mod count;
mod hook;
pub mod machine;
mod reporter;
mod sampler;
#[cfg(feature = "prost")]
mod stream;
mod window;

#[cfg(feature = "prost")]
pub use self::stream::LoadService;
pub use self::{config::LoadReporterConfig, reporter::LoadReporter};
