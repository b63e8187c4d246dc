//! TLS, by rustls with the ring provider.
//!
//! [`ClientTls`] and [`ServerTls`] are values: made once from PEM, checked when they are made, shared by whatever dials or
//! listens. Which protocols are offered by ALPN is not theirs to say: the transports know that, so the dialer and the
//! listener fill it in.
//!
//! The provider is named, not installed: a process-wide default would be one more thing that two libraries in one process
//! can disagree on. TLS 1.2 and 1.3 are spoken.

mod client;
mod error;
mod pem;
mod server;

use std::{sync::Arc, time::Duration};

use rustls::crypto::CryptoProvider;

pub(super) use self::server::ServerHandshake;
pub use self::{
    client::{ClientTls, ClientTlsBuilder},
    server::{ServerTls, ServerTlsBuilder},
};

/// How long a handshake may take unless it is said otherwise.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
