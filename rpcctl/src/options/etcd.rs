//! Who asks etcd, and how. Not in targets, as those are logged.

use std::{env, error::Error, fs};

use rpc::{
    BuildError, Status,
    registry::{EtcdScheme, Fault, FaultKind, Target},
};

use super::{Tls, value};

/// Where the password is unless a file is named. Not among the arguments, which all users of a host can read.
const PASSWORD: &str = "RPCCTL_ETCD_PASSWORD";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Etcd {
    user: Option<String>,
    password_file: Option<String>,
    tls: Tls,
}

impl Etcd {
    /// Nobody, without TLS.
    pub(super) fn new() -> Self {
        Self {
            user: None,
            password_file: None,
            tls: Tls::new("--etcd-"),
        }
    }

    /// Takes the value of an option. False if the option is none of these.
    pub(super) fn take(
        &mut self,
        option: &str,
        arguments: &mut impl Iterator<Item = String>,
    ) -> Result<bool, String> {
        let taken = match option {
            "--etcd-user" => &mut self.user,
            "--etcd-password-file" => &mut self.password_file,
            _ => return self.tls.take(option, arguments),
        };
        *taken = Some(value(option, arguments)?);
        Ok(true)
    }

    /// The scheme `etcd`, as a target is to be asked. Reads the files.
    pub(crate) fn scheme(&self, target: &Target) -> Result<EtcdScheme, BuildError> {
        if let Some(option) = self.given()
            && target.scheme() != "etcd"
        {
            let problem = format!("has no meaning with the target `{target}`");
            return Err(BuildError::new(option, problem));
        }
        let mut scheme = EtcdScheme::new();
        if let Some(user) = &self.user {
            scheme = scheme.with_user(user, self.password(user)?);
        } else if self.password_file.is_some() {
            let problem = "a password is of no use without `--etcd-user`";
            return Err(BuildError::new("--etcd-password-file", problem));
        }
        if let Some(tls) = self.tls.read()? {
            scheme = scheme.with_tls(tls);
        }
        Ok(scheme)
    }

    /// What to do about a fault of etcd where a user or TLS may be wanted and nothing was said of them; nothing otherwise.
    pub(crate) fn advice(&self, fault: &Fault) -> String {
        // What comes from etcd was a call.
        if !fault.source().is_some_and(<dyn Error>::is::<Status>) {
            String::new()
        } else if self.user.is_none() && fault.kind() == FaultKind::Denied {
            "; `--etcd-user NAME` logs in".to_owned()
        } else {
            self.tls.advice(&fault.to_string())
        }
    }

    fn given(&self) -> Option<String> {
        let own = self.user.as_ref().map(|_| "--etcd-user");
        let own = own.or(self.password_file.as_ref().map(|_| "--etcd-password-file"));
        own.map(str::to_owned).or_else(|| self.tls.given())
    }

    fn password(&self, user: &str) -> Result<String, BuildError> {
        if user.is_empty() {
            return Err(BuildError::new("--etcd-user", "has no name"));
        }
        let Some(path) = &self.password_file else {
            return env::var(PASSWORD).map_err(|error| {
                let problem =
                    format!("needs a password, in `--etcd-password-file` or in `{PASSWORD}`: {error}");
                BuildError::new(format!("--etcd-user {user}"), problem)
            });
        };
        let text = fs::read_to_string(path).map_err(|error| {
            BuildError::new(format!("--etcd-password-file {path}"), error.to_string()).with_source(error)
        })?;
        // Editors end each line.
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}
