//! `cargo xtask bench`: builds the measuring programs and runs them.
//!
//! There are two, since some peers change what everybody else is built with: see the documentation of `benches`. What they
//! measure goes into one file, the second program's rows after the first one's.

use std::{
    env::consts::EXE_EXTENSION,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use crate::{
    cargo::cargo,
    error::{Error, Result},
    process, tools,
    workspace::Workspace,
};

/// Thin LTO over everything, from nothing, on a slow machine.
const BUILD: Duration = Duration::from_hours(1);
/// Everything, with many rounds.
const MEASURE: Duration = Duration::from_hours(6);

/// A program that measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Plain,
    WithTarpc,
}

/// # Errors
/// A program cannot be built or started, or fails.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let (programs, args) = programs(args)?;
    if args.iter().any(|arg| arg == "--check" || arg == "--bless") {
        tools::valgrind()?;
    }
    // All first: nothing is compiled while something is measured, and nobody waits in between.
    let mut commands = Vec::new();
    for (index, program) in programs.into_iter().enumerate() {
        let mut command = Command::new(program.build(&workspace)?);
        command.args(&args).current_dir(&workspace.root);
        if index > 0 {
            command.arg("--append");
        }
        commands.push(command);
    }
    let last = commands.pop().ok_or("no program was chosen")?;
    for command in commands {
        process::run(command, MEASURE)?;
    }
    process::become_program(last)
}

impl Program {
    const ALL: [Self; 2] = [Self::Plain, Self::WithTarpc];

    /// What its rows are marked with.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::WithTarpc => "with-tarpc",
        }
    }

    fn build(self, workspace: &Workspace) -> Result<PathBuf> {
        let mut build = cargo(workspace, "build");
        build.args(["--profile", "bench"]);
        let file = match self {
            Self::Plain => {
                // Alone: the features that other members ask for must not colour what is measured.
                build.args(["--package", "benches"]);
                "benches"
            }
            Self::WithTarpc => {
                build.args(["--manifest-path", "benches/with-tarpc/Cargo.toml", "--target-dir"]);
                build.arg(&workspace.target);
                "benches-with-tarpc"
            }
        };
        process::run(build, BUILD)?;
        // Cargo puts the profile `bench` there, not into a folder of its own name.
        let folder = workspace.target.join("release");
        Ok(folder.join(file).with_extension(EXE_EXTENSION))
    }
}

/// Which programs to run, and what is left to say to them.
fn programs(args: &[String]) -> Result<(Vec<Program>, Vec<String>)> {
    let mut chosen = Program::ALL.to_vec();
    let mut rest = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--build" => {
                let name = args.next().ok_or("`--build` wants the name of a program")?;
                chosen.retain(|program| program.name() == name);
                if chosen.is_empty() {
                    let known = Program::ALL.map(Program::name).join(", ");
                    return Err(Error::Failed(format!("no program `{name}`; there are {known}")));
                }
            }
            "--report" | "--floors" | "--check" | "--bless" => {
                // These measure nothing that a peer has a part in.
                chosen = vec![Program::Plain];
                rest.push(arg.clone());
            }
            _ => rest.push(arg.clone()),
        }
    }
    Ok((chosen, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(line: &str) -> Result<(Vec<Program>, Vec<String>)> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        programs(&args)
    }

    #[test]
    fn both_unless_one_is_named_or_nothing_is_measured() {
        let (programs, rest) = chosen("--quick --json a").unwrap();
        assert_eq!(programs, Program::ALL);
        assert_eq!(rest, ["--quick", "--json", "a"]);
        let (programs, rest) = chosen("--build with-tarpc --quick").unwrap();
        assert_eq!((programs, rest.len()), (vec![Program::WithTarpc], 1));
        let (programs, rest) = chosen("--floors a.json").unwrap();
        assert_eq!((programs, rest.len()), (vec![Program::Plain], 2));
    }

    #[test]
    fn an_unknown_program_is_told_the_known_ones() {
        let error = chosen("--build tonic").unwrap_err().to_string();
        assert!(error.contains("plain, with-tarpc"), "{error}");
        assert!(chosen("--build").is_err());
    }
}
