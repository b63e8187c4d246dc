//! The command line.

use std::time::Duration;

pub(crate) const USAGE: &str = "\
rpcctl health TARGET [SERVICE] [--watch] [--timeout-ms N]

  Asks a server's health service whether it serves, or whether one of its services does.
  TARGET is what a client takes, `static://127.0.0.1:50051` or `unix:/run/shop.sock`; a bare `host:port` is static.
  --watch         go on, and print each change; ends with the stream or a signal
  --timeout-ms N  how long to wait for the answer, connecting included (default 1000)

  Ends with 0 if it serves, 1 for a wrong command line, 2 if it cannot be reached, 3 if the call fails, 4 if it does
  not serve.";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Health(Health),
}

/// `rpcctl health`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) target: String,
    pub(crate) service: String,
    pub(crate) watch: bool,
    pub(crate) timeout: Duration,
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        match arguments.next().as_deref() {
            None => Err("which command?".to_owned()),
            Some("--help" | "-h" | "help") => Ok(Self::Help),
            Some("health") => Health::parse(arguments).map(Self::Health),
            Some(other) => Err(format!("`{other}` is not a command; there is: health")),
        }
    }
}

impl Health {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut names, mut watch, mut timeout_ms) = (Vec::new(), false, 1000);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--watch" => watch = true,
                "--timeout-ms" => {
                    let value = arguments.next().ok_or("`--timeout-ms` wants a value")?;
                    timeout_ms = value
                        .parse()
                        .ok()
                        .filter(|ms| (1..=3_600_000).contains(ms))
                        .ok_or_else(|| format!("`--timeout-ms` wants 1 to 3600000, not `{value}`"))?;
                }
                option if option.starts_with('-') => return Err(format!("`{option}` is not an option")),
                _ => names.push(argument),
            }
        }
        let mut names = names.into_iter();
        let target = names.next().ok_or("which target?")?;
        let service = names.next().unwrap_or_default();
        if let Some(extra) = names.next() {
            return Err(format!("`{extra}` is one argument too many"));
        }
        let is_bare = !target.contains("://") && !target.starts_with("unix:");
        let target = if is_bare {
            format!("static://{target}")
        } else {
            target
        };
        Ok(Self {
            target,
            service,
            watch,
            timeout: Duration::from_millis(timeout_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_bare_address_is_a_static_target() {
        let Ok(Command::Health(health)) = parse("health 127.0.0.1:50051 shop.v1.Inventory --watch") else {
            panic!("is understood");
        };
        assert_eq!(health.target, "static://127.0.0.1:50051");
        assert_eq!(health.service, "shop.v1.Inventory");
        assert!(health.watch);
        assert_eq!(health.timeout, Duration::from_secs(1));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, expected) in [
            ("", "which command?"),
            ("halth", "`halth` is not a command"),
            ("health", "which target?"),
            ("health a:1 b c", "`c` is one argument too many"),
            ("health a:1 --wach", "`--wach` is not an option"),
            ("health a:1 --timeout-ms", "wants a value"),
            ("health a:1 --timeout-ms 0", "wants 1 to 3600000, not `0`"),
        ] {
            let problem = parse(line).expect_err("is refused");
            assert!(problem.contains(expected), "`{line}`: {problem}");
        }
    }
}
