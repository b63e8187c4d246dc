//! `rpcctl health`.

use std::time::Duration;

use super::{Etcd, Tls, number};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) target: String,
    pub(crate) service: String,
    pub(crate) watch: bool,
    pub(crate) timeout: Duration,
    pub(crate) tls: Tls,
    pub(crate) etcd: Etcd,
}

impl Health {
    pub(super) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut names, mut watch, mut timeout_ms) = (Vec::new(), false, 1000);
        let (mut tls, mut etcd) = (Tls::new("--tls-"), Etcd::new());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--watch" => watch = true,
                "--timeout-ms" => timeout_ms = number("--timeout-ms", 1..=3_600_000, &mut arguments)?,
                option if tls.take(option, &mut arguments)? || etcd.take(option, &mut arguments)? => {}
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
            tls,
            etcd,
        })
    }
}
