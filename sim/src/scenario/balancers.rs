//! The balancers that are compared.

use std::sync::Arc;

use rpc_lb::{
    BalancerConfig,
    balance::{HashKey, Maglev, RingHash},
};

use crate::ours::{self, Setting};

/// The name of the one that a client has that says nothing.
pub const DEFAULT: &str = "p2c";

/// Those that have no settings that matter here.
const PLAIN: [&str; 9] = [
    "round_robin",
    "random",
    "weighted",
    "least_request",
    "p2c",
    "orca",
    "prequal",
    "shortest_response",
    "smart",
];

/// The settings of a client that says nothing.
pub fn default() -> Setting {
    Setting::new(DEFAULT, ours::defaults)
}

/// A client that says which balancer it wants, and nothing else.
///
/// # Panics
/// When it is used, if there is no balancer of that name.
pub fn named(kind: &'static str) -> Setting {
    Setting::new(kind, move || {
        let config = serde_json::from_value::<BalancerConfig>(serde_json::json!({ "kind": kind }));
        let balancer = config.expect("a name that is known");
        let mut config = ours::defaults();
        config.balancer = balancer.build().expect("defaults are legal");
        config
    })
}

/// Each with the settings of a client that says nothing else.
pub fn all() -> Vec<Setting> {
    let mut all: Vec<_> = PLAIN.into_iter().map(named).collect();
    all.extend(hashing());
    all
}

/// Those that send the same to the same endpoint. They are there for caches, and are not compared by latency.
pub fn hashing() -> [Setting; 2] {
    let with = |name, make: fn() -> Arc<dyn rpc_lb::Balancer>| {
        Setting::new(name, move || {
            let mut config = ours::defaults();
            config.balancer = make();
            config
        })
    };
    [
        with("ring_hash", || Arc::new(RingHash::new(HashKey::Extension))),
        with("maglev", || Arc::new(Maglev::new(HashKey::Extension))),
    ]
}
