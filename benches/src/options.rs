//! The command line.

use std::{path::PathBuf, time::Duration};

pub(crate) const USAGE: &str = "\
cargo xtask bench [--quick] [--json FILE] [--rounds N] [--window-ms N] [--only TEXT]

  --quick        a fixed subset of the cells, in under three minutes
  --json FILE    also write the rows as a JSON array
  --rounds N     rounds of each cell and subject (default 5, quick 3)
  --window-ms N  how long a round measures, after a warm-up of a fifth of it (default 1000, quick 600)
  --only TEXT    only cells whose name contains the text: `one-cpu unary 0 B x64`
  --subject NAME only that subject, for profiling; ratios need `tonic` as well";

pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    pub(crate) only: Option<String>,
    pub(crate) subject: Option<String>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let (mut quick, mut json, mut rounds, mut window_ms) = (false, None, None, None);
        let (mut only, mut subject) = (None, None);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("`{argument}` wants a value"))
            };
            match argument.as_str() {
                "--quick" => quick = true,
                "--json" => json = Some(PathBuf::from(value()?)),
                "--rounds" => rounds = Some(number(&argument, &value()?)?),
                "--window-ms" => window_ms = Some(number(&argument, &value()?)?),
                "--only" => only = Some(value()?),
                "--subject" => subject = Some(value()?),
                _ => return Err(format!("`{argument}` is not an option")),
            }
        }
        Ok(Self {
            quick,
            json,
            rounds: rounds.unwrap_or(if quick { 3 } else { 5 }),
            window: Duration::from_millis(window_ms.unwrap_or(if quick { 600 } else { 1000 }) as u64),
            only,
            subject,
        })
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
