//! The standard cases, from the client's side.
//!
//! Each says in one line what the protocol's description of the interoperability tests asks for; a case fails with a text
//! that says what came instead.

mod cancellation;
mod compression;
mod health;
mod load;
mod metadata;
mod status;
mod streaming;
mod unary;

use std::{fmt::Debug, pin::Pin};

use rpc::{CallOptions, Channel, Client};

use crate::testing::{TestServiceClient, UnimplementedServiceClient};

/// Why a case failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// How a case ended.
pub type Outcome = Result<(), Failure>;

/// The stubs that cases call through.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The service that the peer has.
    pub test: TestServiceClient,
    /// The same, with compressed requests.
    pub compressing: TestServiceClient,
    /// The one that it has not.
    pub unimplemented: UnimplementedServiceClient,
    /// For methods without a stub.
    pub channel: Channel,
    /// Where the server listens, for clients that a case makes itself.
    pub server: String,
}

impl Peer {
    /// Through a client of that server.
    pub fn new(client: &Client, server: &str) -> Self {
        let test = TestServiceClient::new(client);
        let compressing = test.with_options(CallOptions::new().with_compression("gzip"));
        Self {
            test,
            compressing,
            unimplemented: UnimplementedServiceClient::new(client),
            channel: client.into(),
            server: server.to_owned(),
        }
    }
}

/// A case.
pub type Run = fn(Peer) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

macro_rules! cases {
    ($(#[$about:meta])* $list:ident: $($module:ident::$name:ident,)*) => {
        $(#[$about])*
        pub const $list: &[(&str, Run)] = &[$((stringify!($name), |peer| Box::pin($module::$name(peer)))),*];
    };
}

cases! {
    /// Every case of the test service, by name, in the order in which `all` runs them.
    ALL:
    unary::empty_unary,
    unary::large_unary,
    compression::client_compressed_unary,
    compression::server_compressed_unary,
    streaming::client_streaming,
    compression::client_compressed_streaming,
    streaming::server_streaming,
    compression::server_compressed_streaming,
    streaming::ping_pong,
    streaming::empty_stream,
    metadata::custom_metadata,
    status::status_code_and_message,
    status::special_status_message,
    status::unimplemented_method,
    status::unimplemented_service,
    cancellation::cancel_after_begin,
    cancellation::cancel_after_first_response,
    cancellation::timeout_on_sleeping_server,
    load::orca_per_rpc,
    load::orca_oob,
}

cases! {
    /// Cases for servers that have more than the test service, or less; over plain text.
    SPECIAL:
    health::health_watch,
    health::health_unimplemented,
}

/// The case of that name.
pub fn find(name: &str) -> Option<(&'static str, Run)> {
    let mut all = ALL.iter().chain(SPECIAL);
    all.find(|(known, _)| *known == name).copied()
}

/// Fails a case unless both are the same.
#[allow(
    clippy::needless_pass_by_value,
    reason = "mostly called with what was just made"
)]
fn expect<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, expected {expected:?}").into())
}
