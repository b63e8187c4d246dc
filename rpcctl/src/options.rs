//! The command line.

mod etcd;
mod health;
mod registry;
mod tls;

pub(crate) use self::{
    etcd::Etcd,
    health::Health,
    registry::{Instances, Operate, Register},
    tls::Tls,
};

pub(crate) const USAGE: &str = "\
rpcctl health TARGET [SERVICE] [--watch] [--timeout-ms N] [--tls-...] [--etcd-...]
rpcctl instances TARGET [--watch] [--json] [--timeout-ms N] [--etcd-...]
rpcctl register TARGET --address ADDRESS [--health PROBE] [...] [--tls-...] [--etcd-...]
rpcctl amend TARGET ID [--weight N] [--lane L | --no-lane] [--group G ...] [--etcd-...]
rpcctl enable|disable|drain TARGET ID [--etcd-...]

  TARGET is what a client takes, `etcd://h1:2379/shop` or `file:///etc/rpc/services.yaml?name=shop`; for `health` also
  `static://127.0.0.1:50051` or `unix:/run/shop.sock`, and a bare `host:port` is static.

health: asks a server's health service whether it serves, or whether one of its services does.
  --watch         go on, and print each change; ends with the stream or a signal
  --timeout-ms N  how long to wait for the answer, connecting included (default 1000)

instances: prints the instances of a target, those of all groups unless it says `?group=`.
  --watch         go on, and print all of them at each change
  --json          one line of JSON each time
  --timeout-ms N  how long to wait for the registry (default 5000)

register: announces an instance until a signal comes, then withdraws it. Beside a service of any language it makes the
  service known for as long as it answers.
  --address A     where it is called, `10.0.0.1:50051` or `grpc://10.0.0.1:50051`; may be given several times
  --health PROBE  announce it only once this answers, and show it as disabled while it does not: `host:port` or
                  `grpc://host:port/service` asks gRPC's health service, `tcp://host:port` connects
  --interval-ms N how often to probe (default 2000); two failures in a row count
  --id ID         default: the first address
  --weight N --lane L --zone Z --version V --group G (may be given several times) --disabled

amend: changes an instance that somebody announced, and keeps it changed until `enable` or until its provider ends. What is
  not said stays as it is.
  --weight N      its share of the calls; 100 is the usual one, with 0 it gets none while others have a weight
  --lane L        the lane that it serves
  --no-lane       it serves the base lane
  --group G       a group that it belongs to, in place of all that it belonged to; may be given several times

enable, disable, drain: changes its state in the same way. `enable` gives up what was amended as well: a provider of ours puts
  it back within half a minute. Where there is none behind the record, it stays, and `enable` says what.

TLS with the server whose health is asked, only if one of these is given:
  --tls-ca FILE   trust the authorities in it, PEM, and no others: the system's are not trusted by themselves
  --tls-server-name NAME
                  what the server's certificate is for (default: the host that is called)
  --tls-cert FILE --tls-key FILE
                  show this certificate to a server that asks for one, PEM; and its key

How etcd is asked, for targets `etcd:`:
  --etcd-user NAME
                  log in, with the password in the environment variable RPCCTL_ETCD_PASSWORD
  --etcd-password-file FILE
                  with the one in this file instead; an end of line is not a part of it
  --etcd-ca FILE --etcd-server-name NAME --etcd-cert FILE --etcd-key FILE
                  TLS, as above

  Ends with 0 if it went well (health: it serves), 1 for a wrong command line, 2 if it cannot be reached, 3 if it fails,
  4 if it does not serve.";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Health(Health),
    Instances(Instances),
    Register(Box<Register>),
    Operate(Operate),
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let command = arguments.next();
        match command.as_deref() {
            None => Err("which command?".to_owned()),
            Some("--help" | "-h" | "help") => Ok(Self::Help),
            Some("health") => Health::parse(arguments).map(Self::Health),
            Some("instances") => Instances::parse(arguments).map(Self::Instances),
            Some("register") => Register::parse(arguments).map(Box::new).map(Self::Register),
            Some(command @ ("amend" | "enable" | "disable" | "drain")) => {
                Operate::parse(command, arguments).map(Self::Operate)
            }
            Some(other) => Err(format!(
                "`{other}` is not a command; there are: health, instances, register, amend, enable, disable, drain"
            )),
        }
    }
}

/// The value that an option wants.
fn value(option: &str, arguments: &mut impl Iterator<Item = String>) -> Result<String, String> {
    arguments
        .next()
        .ok_or_else(|| format!("`{option}` wants a value"))
}

/// A number that an option wants.
fn number(
    option: &str,
    range: std::ops::RangeInclusive<u64>,
    arguments: &mut impl Iterator<Item = String>,
) -> Result<u64, String> {
    let value = value(option, arguments)?;
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        format!(
            "`{option}` wants {} to {}, not `{value}`",
            range.start(),
            range.end()
        )
    })
}

/// Exactly so many arguments that are no options.
fn exactly<const N: usize>(names: Vec<String>, missing: [&str; N]) -> Result<[String; N], String> {
    if let Some(extra) = names.get(N) {
        return Err(format!("`{extra}` is one argument too many"));
    }
    names
        .try_into()
        .map_err(|names: Vec<String>| missing[names.len()].to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            ("instances", "which target?"),
            ("instances a b", "`b` is one argument too many"),
            ("instances --jsn", "`--jsn` is not an option"),
            ("register file:///f?name=a", "`--address` is missing"),
            ("register t --address a", "`--address`: `endpoints`"),
            ("register t --address a:0", "port 0"),
            (
                "register t --address a:1 --weight red",
                "`--weight` wants 0 to 1000000, not `red`",
            ),
            ("register t --address a:1 --lane a/b", "`--lane`: not a lane"),
            (
                "register t --address a:1 --health http://a:1",
                "`http` is not a probe",
            ),
            ("register t --address a:1 --group", "`--group` wants a value"),
            (
                "register t --address a:1 --group a,b",
                "`groups`: `a,b` has a `,`",
            ),
            (
                "register t --address a:1 --tls-ca f",
                "`--tls-ca` is for a `--health`",
            ),
            ("instances t --etcd-user", "`--etcd-user` wants a value"),
            ("instances t --tls-ca f", "`--tls-ca` is not an option"),
            ("drain", "which target?"),
            ("drain t", "which instance?"),
            ("drain t i --force", "`--force` is not an option"),
            ("drain t i --weight 3", "`--weight` is not an option"),
            ("amend t", "which instance?"),
            ("amend t i", "what is to change?"),
            ("amend t i --weight 1000001", "`--weight` wants 0 to 1000000"),
            ("amend t i --lane a/b", "`--lane`: not a lane"),
            ("amend t i --group a,b", "`groups`: `a,b` has a `,`"),
            (
                "amend t i --lane a --no-lane",
                "one of `--lane` and `--no-lane` is wanted",
            ),
        ] {
            let problem = parse(line).expect_err("is refused");
            assert!(problem.contains(expected), "`{line}`: {problem}");
        }
    }
}
