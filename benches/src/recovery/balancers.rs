//! The balancers that are compared.

use rpc::{
    client::ClientBuilder,
    lb::balance::{LeastRequest, RoundRobin},
};

/// The name of the one that a client has that says nothing.
pub(crate) const DEFAULT: &str = "p2c";

/// What each makes of a client's settings.
pub(super) const ALL: [(&str, Choose); 3] = [
    (DEFAULT, |client| client),
    ("least_request", |client| client.balancer(LeastRequest::default())),
    ("round_robin", |client| client.balancer(RoundRobin::new())),
];

pub(super) type Choose = fn(ClientBuilder) -> ClientBuilder;
