//! The command line.

use std::{path::PathBuf, time::Duration};

pub(crate) const USAGE: &str = "\
cargo xtask bench [--quick] [--json FILE] [--rounds N] [--window-ms N] [--only TEXT] [--subject NAME] [--build NAME]
cargo xtask bench --report FILE | --floors FILE | --check | --bless

measures, in two programs (`plain`, and `with-tarpc` for the peers that slow the others down):
  --quick        a fixed subset of the cells, in some five minutes
  --json FILE    also write the rows as a JSON array
  --rounds N     rounds of each cell and subject (default 5, quick 3)
  --window-ms N  how long a round measures, after a warm-up of a fifth of it, of 500 at
                 least in `shared` (default 1000, quick 300)
  --only TEXT    only cells whose name contains the text: `one-cpu unary 0 B x64`
  --subject NAME only that subject, for profiling; ratios need `tonic` as well
  --build NAME   only that program
  --append       keep the rows that the JSON file has

or says what was measured:
  --report FILE  writes `docs/performance.md` and its plots from a JSON file
  --floors FILE  compares the ratios in a JSON file with the least that must hold

or counts instructions, which needs valgrind:
  --check        compares the hot paths with `benches/instructions.tsv`
  --bless        writes that file";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    Measure,
    Report(PathBuf),
    Floors(PathBuf),
    Check,
    Bless,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) task: Task,
    pub(crate) quick: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) append: bool,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    pub(crate) only: Option<String>,
    pub(crate) subject: Option<String>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let (mut quick, mut append, mut json, mut rounds, mut window_ms) = (false, false, None, None, None);
        let (mut only, mut subject, mut task) = (None, None, Task::Measure);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("`{argument}` wants a value"))
            };
            match argument.as_str() {
                "--quick" => quick = true,
                "--append" => append = true,
                "--json" => json = Some(PathBuf::from(value()?)),
                "--rounds" => rounds = Some(number(&argument, &value()?)?),
                "--window-ms" => window_ms = Some(number(&argument, &value()?)?),
                "--only" => only = Some(value()?),
                "--subject" => subject = Some(value()?),
                "--report" => task = Task::Report(PathBuf::from(value()?)),
                "--floors" => task = Task::Floors(PathBuf::from(value()?)),
                "--check" => task = Task::Check,
                "--bless" => task = Task::Bless,
                _ => return Err(format!("`{argument}` is not an option")),
            }
        }
        Ok(Self {
            task,
            quick,
            json,
            append,
            rounds: rounds.unwrap_or(if quick { 3 } else { 5 }),
            window: Duration::from_millis(window_ms.unwrap_or(if quick { 300 } else { 1000 }) as u64),
            only,
            subject,
        })
    }

    /// Whether a cell of this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|text| name.contains(text))
    }
}

fn number(option: &str, text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=100_000).contains(&number) => Ok(number),
        _ => Err(format!(
            "`{option}` wants a number from 1 to 100000, not `{text}`"
        )),
    }
}
