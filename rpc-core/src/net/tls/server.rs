//! The server's side.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{error, pem::Pem, provider};
use crate::{BuildError, transport::Io};

/// Who a server says it is. Cheap to clone.
///
/// ```no_run
/// use rpc_core::net::tls::ServerTls;
///
/// # fn main() -> Result<(), rpc_core::BuildError> {
/// let tls = ServerTls::builder()
///     .certificate_file("/etc/shop/tls.crt")
///     .key_file("/etc/shop/tls.key")
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Begins without a certificate.
    pub fn builder() -> ServerTlsBuilder {
        ServerTlsBuilder {
            certificate: None,
            key: None,
        }
    }

    /// It, agreeing to these protocols, best first.
    pub(in crate::net) fn handshake(&self, alpn: Vec<Vec<u8>>) -> ServerHandshake {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = alpn;
        ServerHandshake(TlsAcceptor::from(Arc::new(config)))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// Makes a [`ServerTls`].
#[must_use = "nothing is made before `build`"]
pub struct ServerTlsBuilder {
    certificate: Option<(&'static str, Pem)>,
    key: Option<(&'static str, Pem)>,
}

impl ServerTlsBuilder {
    /// Sets the certificate and, after it, those that lead to the authority.
    pub fn certificate_pem(mut self, chain: impl Into<Vec<u8>>) -> Self {
        self.certificate = Some(("certificate_pem", Pem::Bytes(chain.into())));
        self
    }

    /// The same, from a file, which is read by `build`.
    pub fn certificate_file(mut self, path: impl AsRef<Path>) -> Self {
        self.certificate = Some(("certificate_file", Pem::File(path.as_ref().to_owned())));
        self
    }

    /// Sets the certificate's private key: PKCS #8, PKCS #1 or SEC1, not encrypted.
    pub fn key_pem(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(("key_pem", Pem::Bytes(key.into())));
        self
    }

    /// The same, from a file, which is read by `build`.
    pub fn key_file(mut self, path: impl AsRef<Path>) -> Self {
        self.key = Some(("key_file", Pem::File(path.as_ref().to_owned())));
        self
    }

    /// Checks it all and makes the settings.
    ///
    /// # Errors
    /// Names the setting: `certificate_pem`, `certificate_file`, `key_pem` or `key_file`, if it is missing, cannot be
    /// read, holds no usable PEM, or if the key is not the certificate's.
    pub fn build(self) -> Result<ServerTls, BuildError> {
        let (certificate_field, certificate) = self.certificate.ok_or_else(|| {
            BuildError::new("certificate_pem", "a server needs a certificate; none was given")
        })?;
        let (key_field, key) = self.key.ok_or_else(|| {
            BuildError::new(
                "key_pem",
                "a server needs its certificate's private key; none was given",
            )
        })?;
        let chain = certificate.certificates(certificate_field)?;
        let key = key.key(key_field)?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| BuildError::new("tls", error.to_string()).with_source(error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    BuildError::new(key_field, "the key does not belong to the certificate")
                        .with_source(error)
                }
                rustls::Error::InvalidCertificate(_) => {
                    BuildError::new(certificate_field, error.to_string()).with_source(error)
                }
                error => BuildError::new(key_field, error.to_string()).with_source(error),
            })?;
        Ok(ServerTls {
            config: Arc::new(config),
        })
    }
}

impl fmt::Debug for ServerTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTlsBuilder").finish_non_exhaustive()
    }
}

/// TLS as one listener speaks it.
#[derive(Clone)]
pub(in crate::net) struct ServerHandshake(TlsAcceptor);

impl ServerHandshake {
    /// Runs the handshake; the caller bounds it in time.
    pub(in crate::net) async fn run<S: Io>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<Vec<u8>>)> {
        let stream = self.0.accept(stream).await.map_err(error::explain)?;
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        Ok((stream, alpn))
    }
}

impl fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerHandshake")
    }
}
