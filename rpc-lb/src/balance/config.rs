//! Balancers by name, as settings and rules have them.

use std::{error::Error, fmt, sync::Arc};

use rpc_core::ServiceDescriptor;
use serde::Deserialize;

use super::{
    Balancer, LeastRequest, LeastRequestConfig, Maglev, MaglevConfig, Orca, OrcaConfig, P2c, Prequal,
    PrequalConfig, Random, RingHash, RingHashConfig, RoundRobin, ShortestResponse, ShortestResponseConfig,
    Smart, SmartConfig, Weighted,
};

/// A balancer, by name and with its settings.
///
/// ```
/// use rpc_lb::BalancerConfig;
///
/// let config: BalancerConfig = serde_json::from_str(r#"{ "kind": "least_request", "choices": 3 }"#)?;
/// assert_eq!(config.build()?.name(), "least_request");
///
/// let config: BalancerConfig = serde_json::from_str(r#"{ "kind": "least_request", "choices": 11 }"#)?;
/// let error = config.build().unwrap_err().to_string();
/// assert_eq!(error, "`least_request.choices` is 11: 2 to 10 are wanted");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BalancerConfig {
    /// [`RoundRobin`].
    RoundRobin(NoSettings),
    /// [`Weighted`].
    Weighted(NoSettings),
    /// [`Random`].
    Random(NoSettings),
    /// [`P2c`].
    P2c(NoSettings),
    /// [`LeastRequest`].
    LeastRequest(LeastRequestConfig),
    /// [`RingHash`].
    RingHash(RingHashConfig),
    /// [`Maglev`].
    Maglev(MaglevConfig),
    /// [`Orca`].
    Orca(OrcaConfig),
    /// [`Prequal`].
    Prequal(PrequalConfig),
    /// [`ShortestResponse`].
    ShortestResponse(ShortestResponseConfig),
    /// [`Smart`].
    Smart(SmartConfig),
}

/// Nothing can be set: a setting is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NoSettings {}

impl BalancerConfig {
    /// The balancer.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn build(&self) -> Result<Arc<dyn Balancer>, InvalidBalancer> {
        Ok(match self {
            Self::RoundRobin(_) => Arc::new(RoundRobin::new()),
            Self::Weighted(_) => Arc::new(Weighted::new()),
            Self::Random(_) => Arc::new(Random::new()),
            Self::P2c(_) => Arc::new(P2c::new()),
            Self::LeastRequest(config) => Arc::new(at("least_request", LeastRequest::new(*config))?),
            Self::RingHash(config) => Arc::new(at("ring_hash", RingHash::configured(config))?),
            Self::Maglev(config) => Arc::new(at("maglev", Maglev::configured(config))?),
            Self::Orca(config) => Arc::new(at("orca", Orca::new(*config))?),
            Self::Prequal(config) => Arc::new(at("prequal", Prequal::new(*config))?),
            Self::ShortestResponse(config) => {
                Arc::new(at("shortest_response", ShortestResponse::new(*config))?)
            }
            Self::Smart(config) => Arc::new(at("smart", Smart::new(*config))?),
        })
    }
}

impl BalancerConfig {
    /// Makes sure that requests of these services can have what calls are hashed by: see [`HashKey::bind`](super::HashKey::bind).
    ///
    /// # Errors
    /// If no request has such a field; the error says what there is.
    pub fn bind(&self, services: &[&ServiceDescriptor]) -> Result<(), InvalidBalancer> {
        match self {
            Self::RingHash(config) => at("ring_hash", config.key.bind(services)),
            Self::Maglev(config) => at("maglev", config.key.bind(services)),
            _ => Ok(()),
        }
    }
}

/// Says of which balancer a setting is.
fn at<B>(kind: &str, balancer: Result<B, InvalidBalancer>) -> Result<B, InvalidBalancer> {
    balancer.map_err(|error| InvalidBalancer {
        path: format!("{kind}.{}", error.path),
        ..error
    })
}

/// A setting of a balancer that is out of range: which one, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidBalancer {
    path: String,
    problem: String,
}

impl InvalidBalancer {
    /// `path` is where the setting is: `choices`.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Where the setting is.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for InvalidBalancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.problem)
    }
}

impl Error for InvalidBalancer {}
