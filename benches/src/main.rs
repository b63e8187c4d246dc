//! Ours, and the peers that leave the features of everybody else's dependencies alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::main("plain", &benches::all())
}
