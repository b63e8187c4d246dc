//! What `sim` can be told.

use std::{fmt::Write as _, path::PathBuf};

use rpc_sim::scenario::{self, Scenario};

/// What to run, and where the answers go.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) run: scenario::Options,
    pub(crate) json: bool,
    pub(crate) report: Option<PathBuf>,
}

/// What can be said.
pub(crate) fn usage() -> String {
    let mut usage = "\
usage: cargo xtask sim [FLAGS]

  --scenario S   one of those below; may be given several times. Default: all
  --quick        shorter, and fewer services
  --json         JSON instead of tables
  --report DIR   writes the plots and the JSON into that folder as well
  --seed N       another seed than 1

scenarios:
"
    .to_owned();
    for scenario in scenario::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(usage, "  {:12} {}", scenario.name, scenario.about);
    }
    usage
}

impl Options {
    /// `None` if help was asked for.
    pub(crate) fn parse(args: &[String]) -> Result<Option<Self>, String> {
        let mut options = Self {
            scenarios: Vec::new(),
            run: scenario::Options::default(),
            json: false,
            report: None,
        };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` wants a value"));
            match arg {
                "--scenario" => {
                    let name = value()?;
                    let known = scenario::ALL.iter().find(|scenario| scenario.name == name);
                    options
                        .scenarios
                        .push(*known.ok_or_else(|| format!("no scenario `{name}`"))?);
                }
                "--quick" => options.run = options.run.quick(),
                "--json" => options.json = true,
                "--report" => options.report = Some(value()?.into()),
                "--seed" => {
                    let seed = value()?;
                    let number = seed
                        .parse()
                        .map_err(|error| format!("`--seed {seed}`: {error}"))?;
                    options.run = options.run.with_seed(number);
                }
                "--help" | "-h" => return Ok(None),
                unknown => return Err(format!("unknown flag `{unknown}`")),
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = scenario::ALL.to_vec();
        }
        Ok(Some(options))
    }
}
