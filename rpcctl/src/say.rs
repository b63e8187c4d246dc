//! What is said to whoever runs this.
//!
//! Nobody may read it (any more): `println!` and `eprintln!` panic then, and what has to be done before the end is not done.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

/// Prints a line, if anybody reads it.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line of what is wrong, if anybody reads it.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "rpcctl: {line}");
}

/// Prints what was asked for.
///
/// # Errors
/// If it cannot be had there: what the program then ends with. That nobody reads it any more is no failure.
pub(crate) fn print(lines: impl Display) -> Result<(), ExitCode> {
    writeln!(io::stdout(), "{lines}").map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            return ExitCode::SUCCESS;
        }
        complain(format_args!("nothing can be printed: {error}"));
        ExitCode::FAILURE
    })
}
