//! TLS, for which calls have options and the registry has others.

use rpc::{BuildError, net::tls::ClientTls};

use super::value;

/// What is said of TLS with one kind of server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// How its options begin.
    prefix: &'static str,
    authorities: Option<String>,
    server_name: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Tls {
    /// Nothing yet, with options that begin like this.
    pub(super) fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            authorities: None,
            server_name: None,
            certificate: None,
            key: None,
        }
    }

    /// Takes the value of an option. False if the option is none of these.
    pub(super) fn take(
        &mut self,
        option: &str,
        arguments: &mut impl Iterator<Item = String>,
    ) -> Result<bool, String> {
        let taken = match option.strip_prefix(self.prefix) {
            Some("ca") => &mut self.authorities,
            Some("server-name") => &mut self.server_name,
            Some("cert") => &mut self.certificate,
            Some("key") => &mut self.key,
            _ => return Ok(false),
        };
        *taken = Some(value(option, arguments)?);
        Ok(true)
    }

    /// One of the options that were given, if any was.
    pub(super) fn given(&self) -> Option<String> {
        let Self { prefix, .. } = self;
        let mut all = self.all().into_iter();
        all.find_map(|(name, value)| value.map(|_| format!("{prefix}{name}")))
    }

    /// Reads the files. `None` if nothing is said.
    pub(crate) fn read(&self) -> Result<Option<ClientTls>, BuildError> {
        if self.given().is_none() {
            return Ok(None);
        }
        let mut tls = ClientTls::builder();
        if let Some(path) = &self.authorities {
            tls = tls.trust_file(path);
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        if let Some(path) = &self.certificate {
            tls = tls.certificate_file(path);
        }
        if let Some(path) = &self.key {
            tls = tls.key_file(path);
        }
        tls.build().map(Some).map_err(|error| self.explain(error))
    }

    /// What to do about a failure where TLS may be spoken and nothing was said of it; nothing otherwise.
    pub(crate) fn advice(&self, failure: &str) -> String {
        // A peer that answered in another protocol, or hung up, is said not to speak that.
        if self.given().is_none() && failure.contains("HTTP/2") {
            format!("; if it speaks TLS, say whom to trust: `{}ca FILE`", self.prefix)
        } else {
            String::new()
        }
    }

    fn all(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("ca", self.authorities.as_deref()),
            ("server-name", self.server_name.as_deref()),
            ("cert", self.certificate.as_deref()),
            ("key", self.key.as_deref()),
        ]
    }

    /// Says which option was wrong, and what it was given.
    fn explain(&self, error: BuildError) -> BuildError {
        let name = match error.field() {
            "trust_pem" | "trust_file" => "ca",
            "server_name" => "server-name",
            "certificate_file" => "cert",
            "key_file" => "key",
            _ => return error,
        };
        let mut all = self.all().into_iter();
        let given = all.find(|(own, _)| *own == name).and_then(|(_, value)| value);
        let given = given.map(|value| format!(" {value}")).unwrap_or_default();
        error.with_field(format!("{}{name}{given}", self.prefix))
    }
}
