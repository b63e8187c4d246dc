//! What can be set.

use std::{fmt, time::Duration};

use rpc_core::{BuildError, net::Address};

/// Nobody waits for longer than that.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// The settings of an [`Etcd`](crate::Etcd). Begin with [`EtcdConfig::new`] and change fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EtcdConfig {
    /// The members of the cluster, or what passes their bytes or their gRPC on as they are, which etcd's `grpc-proxy` does
    /// not: at least 1, at most 64. One is asked at a time; the next one when it cannot be reached or stays silent.
    pub endpoints: Vec<Address>,
    /// How long one exchange may take, the connect included; a year at most. Of several members, each one gets an equal part of
    /// it to be connected to, at least 500 ms, before the next one is asked. Default: 5 s.
    pub timeout: Duration,
    /// How long a watch may be silent before etcd is asked whether it is still there. With no answer within
    /// [`timeout`](Self::timeout) the watch fails. A year at most. Default: 10 s.
    pub probe_interval: Duration,
    /// Who logs in, and with what. Default: nobody.
    pub user: Option<(String, Password)>,
    /// TLS. Default: none.
    #[cfg(feature = "tls")]
    pub tls: Option<rpc_core::net::tls::ClientTls>,
}

impl EtcdConfig {
    /// The usual settings for these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = Address>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            timeout: Duration::from_secs(5),
            probe_interval: Duration::from_secs(10),
            user: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Logs in with a name and a password. The token is had anew when etcd no longer takes it.
    pub fn with_user(mut self, name: impl Into<String>, password: impl Into<Password>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Speaks TLS with the endpoints.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: rpc_core::net::tls::ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// With times that can be added to any moment.
    pub(crate) fn bounded(mut self) -> Self {
        self.timeout = self.timeout.min(LONGEST);
        self.probe_interval = self.probe_interval.min(LONGEST);
        self
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if !(1..=64).contains(&self.endpoints.len()) {
            return wrong("endpoints", "must be 1 to 64");
        }
        if self.timeout.is_zero() {
            return wrong("timeout", "must be longer than nothing");
        }
        if self.probe_interval.is_zero() {
            return wrong("probe_interval", "must be longer than nothing");
        }
        if self.user.as_ref().is_some_and(|(name, _)| name.is_empty()) {
            return wrong("user", "has no name");
        }
        Ok(())
    }
}

/// A password. It is never shown.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Password {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
