//! Settings of the health of endpoints.

use std::{error::Error, fmt, sync::Arc};

use serde::Deserialize;

use super::{EjectConfig, SlowStartConfig};
use crate::endpoint::Alarm;

/// Which endpoints are sick, and what becomes of them and of those that are not quite well. See the [module](super).
///
/// ```toml
/// panic = 0.5
///
/// [eject]
/// consecutive = 5
/// base = "30s"
///
/// [slow_start]
/// window = "1m"
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthConfig {
    /// While less than this share of the endpoints that a request may go to is well, the sick ones get calls like the others:
    /// too few healthy ones would break down under the load of all. 0 to 1; 0 is never: where all are sick, calls fail.
    /// Default: 0.5, as Envoy's.
    pub panic: f32,
    /// The full name of the service whose health is watched at each endpoint, by `grpc.health.v1.Health/Watch`; the empty
    /// name is the server as a whole. One that says that it does not serve is sick. It needs the feature `prost`; without, it is
    /// refused. Default: none is watched.
    pub watch: Option<String>,
    /// When an endpoint gets no calls for a while.
    pub eject: EjectConfig,
    /// How the share of a young endpoint grows.
    pub slow_start: SlowStartConfig,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            panic: 0.5,
            watch: None,
            eject: EjectConfig::default(),
            slow_start: SlowStartConfig::default(),
        }
    }
}

impl HealthConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody is ever sick, and nobody is young: only the connection says whether an endpoint gets calls.
    pub fn off() -> Self {
        Self {
            panic: 0.0,
            watch: None,
            eject: EjectConfig::off(),
            slow_start: SlowStartConfig::off(),
        }
    }

    /// Watches what each endpoint says of the health of a service.
    pub fn with_watch(mut self, service: impl Into<String>) -> Self {
        self.watch = Some(service.into());
        self
    }

    /// Sets when an endpoint gets no calls for a while.
    pub fn with_eject(mut self, eject: EjectConfig) -> Self {
        self.eject = eject;
        self
    }

    /// Sets how the share of a young endpoint grows.
    pub fn with_slow_start(mut self, slow_start: SlowStartConfig) -> Self {
        self.slow_start = slow_start;
        self
    }

    /// Sets the share of healthy ones below which the sick ones get calls as well.
    pub fn with_panic(mut self, share: f32) -> Self {
        self.panic = share;
        self
    }

    /// What endpoints ring when calls fail there; none where failures one after the other do not matter.
    pub(crate) fn alarm(&self) -> Option<Arc<Alarm>> {
        let rings = self.eject.enabled && self.eject.consecutive > 0;
        rings.then(|| Arc::new(Alarm::new(self.eject.consecutive)))
    }

    /// Looks for what makes no sense.
    ///
    /// # Errors
    /// The first such field, by its path.
    pub fn check(&self) -> Result<(), InvalidHealth> {
        InvalidHealth::unless(
            (0.0..=1.0).contains(&self.panic),
            "panic",
            "must be between 0 and 1",
        )?;
        InvalidHealth::unless(
            cfg!(feature = "prost") || self.watch.is_none(),
            "watch",
            "needs the feature `prost`",
        )?;
        let longest = 1024;
        InvalidHealth::unless(
            self.watch.as_ref().is_none_or(|service| service.len() <= longest),
            "watch",
            "must be at most 1024 bytes long",
        )?;
        self.eject.check()?;
        self.slow_start.check()
    }
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidHealth {
    path: &'static str,
    problem: &'static str,
}

impl InvalidHealth {
    pub(super) fn unless(
        is_right: bool,
        path: &'static str,
        problem: &'static str,
    ) -> Result<(), InvalidHealth> {
        if is_right {
            Ok(())
        } else {
            Err(Self { path, problem })
        }
    }

    /// Where it stands: `eject.base`.
    pub fn path(&self) -> &str {
        self.path
    }
}

impl fmt::Display for InvalidHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.problem)
    }
}

impl Error for InvalidHealth {}
