//! Parts of a command: named, listed, selected, run one after the other.

use std::{process::ExitCode, time::Instant};

use crate::{
    error::{Error, Result},
    report::{self, Outcome},
    workspace::Workspace,
};

/// One thing that `test` or `ci` does.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Workspace, &mut Outcome) -> Result,
}

/// Runs the parts that the flags select: a failing part stops none after it.
///
/// # Errors
/// The flags name a part that does not exist.
pub(crate) fn run(parts: &[&Part], args: &[String]) -> Result<ExitCode> {
    let Some(selected) = select(parts, args)? else {
        for part in parts {
            println!("{:16} {}", part.name, part.about);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let workspace = Workspace::find()?;
    let mut outcomes = Vec::new();
    for part in selected {
        println!("\n== {}: {}", part.name, part.about);
        let start = Instant::now();
        let mut outcome = Outcome::new(part.name, workspace.ci);
        if let Err(error) = (part.run)(&workspace, &mut outcome) {
            outcome.broke(&error);
        }
        outcome.took(start.elapsed());
        outcomes.push(outcome);
    }
    Ok(if report::summarise(&outcomes) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The parts to run, in their own order; none to have them listed.
fn select<'a>(parts: &[&'a Part], args: &[String]) -> Result<Option<Vec<&'a Part>>> {
    let mut only: Vec<&str> = Vec::new();
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--list" => return Ok(None),
            "--only" => only.push(args.next().ok_or("`--only` wants the name of a part")?),
            _ => match arg.strip_prefix("--only=") {
                Some(name) => only.push(name),
                None => {
                    return Err(Error::Failed(format!(
                        "unknown flag `{arg}`: there are `--only PART` and `--list`"
                    )));
                }
            },
        }
    }
    let names = |part: &Part, wanted: &str| {
        part.name == wanted
            || part
                .name
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.starts_with('-'))
    };
    for wanted in &only {
        if !parts.iter().any(|part| names(part, wanted)) {
            let known: Vec<_> = parts.iter().map(|part| part.name).collect();
            return Err(Error::Failed(format!(
                "no part `{wanted}`; there are {}",
                known.join(", ")
            )));
        }
    }
    let chosen = |part: &Part| only.is_empty() || only.iter().any(|wanted| names(part, wanted));
    Ok(Some(parts.iter().copied().filter(|part| chosen(part)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn part(name: &'static str) -> Part {
        Part {
            name,
            about: "",
            run: |_, _| Ok(()),
        }
    }

    const UNIT: Part = part("unit");
    const GO: Part = part("interop-go");
    const TLS: Part = part("interop-tls");

    fn selected(args: &[&str]) -> Result<Option<Vec<&'static str>>> {
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        let parts = select(&[&UNIT, &GO, &TLS], &args)?;
        Ok(parts.map(|parts| parts.iter().map(|part| part.name).collect()))
    }

    #[test]
    fn selection() {
        assert_eq!(
            selected(&[]).unwrap().unwrap(),
            ["unit", "interop-go", "interop-tls"]
        );
        assert_eq!(
            selected(&["--only", "interop"]).unwrap().unwrap(),
            ["interop-go", "interop-tls"]
        );
        assert_eq!(
            selected(&["--only=interop-tls", "--only", "unit"])
                .unwrap()
                .unwrap(),
            ["unit", "interop-tls"]
        );
        assert_eq!(selected(&["--list"]).unwrap(), None);
    }

    #[test]
    fn mistakes_name_what_there_is() {
        assert!(
            selected(&["--only", "inter"])
                .unwrap_err()
                .to_string()
                .contains("unit, interop-go")
        );
        assert!(
            selected(&["--only"])
                .unwrap_err()
                .to_string()
                .contains("name of a part")
        );
        assert!(selected(&["-v"]).unwrap_err().to_string().contains("`-v`"));
    }
}
