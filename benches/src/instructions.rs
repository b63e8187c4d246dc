//! How many instructions the hot paths take: a figure that other work disturbs little.
//!
//! This program runs itself under callgrind, twice for each path, with few and with many calls; what the difference has
//! for each call is the figure. Starting, connecting and ending cancel out. What the kernel does is not counted, nor what
//! waiting costs: this finds work that was added, and the other measurements say what it means.
//!
//! Callgrind makes a program some fifty times as slow, so a server finds its handlers slow and hands their calls to tasks of their
//! own, which costs some thousand instructions more: over gRPC all of these counts are of calls that were handed over; over framed a
//! part of the calls is, and a larger one where something else runs beside it. Let nothing else run.
//!
//! The counts are kept in `benches/instructions.tsv` and hold for the compiler that the file names. A different one, or a
//! different target, counts differently; then only counts of two revisions by the same compiler can be compared.

mod baseline;
mod paths;

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
};

use self::baseline::Baseline;

/// Where the counts are, from the root of the workspace.
const FILE: &str = "benches/instructions.tsv";
/// Enough that what happens once a hundred calls is in it.
const FEW: u32 = 200;
const MANY: u32 = 1200;

/// Runs one path so many times, if the arguments say that this is what the process is for.
pub(crate) fn run_if_asked(arguments: &[String]) -> bool {
    let [flag, name, count] = arguments else {
        return false;
    };
    let path = paths::ALL.iter().find(|(known, _)| known == name);
    match (path, count.parse()) {
        (Some((_, run)), Ok(count)) if flag == "--instructions" => {
            run(count);
            true
        }
        _ => false,
    }
}

/// Compares with the file. True if no path takes more than it may.
pub(crate) fn check() -> io::Result<bool> {
    let baseline = Baseline::read(Path::new(FILE))?;
    let now = count_all()?;
    Ok(baseline::compare(&baseline, &now))
}

/// Writes the file.
pub(crate) fn bless() -> io::Result<()> {
    let now = count_all()?;
    now.write(Path::new(FILE))?;
    println!("`{FILE}` is written");
    Ok(())
}

fn count_all() -> io::Result<Baseline> {
    let mut counts = Vec::new();
    for (name, _) in paths::ALL {
        let (few, many) = (count(name, FEW)?, count(name, MANY)?);
        let each = many.saturating_sub(few) / u64::from(MANY - FEW);
        eprintln!("{name}: {each}");
        counts.push(((*name).to_owned(), each));
    }
    Ok(Baseline {
        compiler: env!("BENCHES_COMPILER").to_owned(),
        counts,
    })
}

/// All instructions of a run.
fn count(name: &str, calls: u32) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--instructions", name, &calls.to_string()])
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(io::Error::other(format!("{name} failed under valgrind:\n{text}")));
    }
    collected(&text).ok_or_else(|| io::Error::other(format!("valgrind printed no count:\n{text}")))
}

/// The count in what callgrind prints: `==12== Collected : 3456`.
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_found() {
        let text = "==7== \n==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(text), Some(123_456));
        assert_eq!(collected("==7== nothing"), None);
    }
}
