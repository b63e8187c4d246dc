//! How long a connection lives, by the settings of this transport.

use std::time::Duration;

use rpc_core::transport::lifetime::Bounds;
pub(super) use rpc_core::transport::lifetime::{Due, Lifetime};

use super::ServerConfig;

/// How long nothing must have come before buffers are given back. Sooner would be between the calls of a busy client.
const QUIET: Duration = Duration::from_secs(1);

impl From<&ServerConfig> for Bounds {
    fn from(config: &ServerConfig) -> Self {
        Self {
            keepalive_interval: config.keepalive_interval,
            keepalive_timeout: config.keepalive_timeout,
            max_idle: config.max_connection_idle,
            max_age: config.max_connection_age,
            max_age_grace: config.max_connection_age_grace,
            quiet: QUIET,
        }
    }
}
