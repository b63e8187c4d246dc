//! `cargo xtask test`: every test there is.

mod cargo_test;
mod etcd;
mod examples;
mod interop;
mod readme;

use std::process::ExitCode;

use crate::{
    error::Result,
    parts::{self, Part},
};

/// All parts, in the order in which they run: what a developer breaks most often comes first.
pub(crate) const PARTS: &[&Part] = &[
    &Part {
        name: "unit",
        about: "unit and integration tests of all crates",
        run: cargo_test::unit,
    },
    &Part {
        name: "doc",
        about: "examples in the documentation of all crates",
        run: cargo_test::doc,
    },
    &Part {
        name: "memory",
        about: "the tests of unsafe code, under valgrind's memory checker",
        run: cargo_test::memory,
    },
    &Part {
        name: "examples",
        about: "every example, run to its end",
        run: examples::run,
    },
    &Part {
        name: "readme",
        about: "the README's code, in a crate outside the workspace",
        run: readme::run,
    },
    &Part {
        name: "interop-go",
        about: "gRPC's interop cases with grpc-go, both ways",
        run: interop::go::plain,
    },
    &Part {
        name: "interop-tls",
        about: "the same over TLS",
        run: interop::go::tls,
    },
    &Part {
        name: "interop-python",
        about: "gRPC's compression cases with its C core (Python), both ways",
        run: interop::python::run,
    },
    &Part {
        name: "etcd",
        about: "a real etcd, killed, stopped, compacted and emptied",
        run: etcd::run,
    },
    &Part {
        name: "records",
        about: "records in etcd with Kratos, go-zero, gRPC naming, go-micro and Kitex, both ways",
        run: etcd::records,
    },
];

/// # Errors
/// The flags cannot be understood.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    parts::run(PARTS, args)
}
