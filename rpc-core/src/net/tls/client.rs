//! The client's side.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::{HANDSHAKE_TIMEOUT, error, pem::Pem, provider};
use crate::{
    BuildError, Deadline,
    net::{Address, Dialed},
};

/// What a client trusts, and how it names the server. Cheap to clone.
///
/// ```no_run
/// use rpc_core::net::{Dialer, tls::ClientTls};
///
/// # fn main() -> Result<(), rpc_core::BuildError> {
/// let tls = ClientTls::builder().trust_file("/etc/shop/ca.pem").build()?;
/// let dialer = Dialer::new().with_tls(tls);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    handshake_timeout: Duration,
}

impl ClientTls {
    /// Begins with nothing trusted.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder {
            trust: Vec::new(),
            certificate: None,
            key: None,
            server_name: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// It, offering these protocols.
    pub(in crate::net) fn handshake(&self, alpn: &[&'static [u8]]) -> ClientHandshake {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        ClientHandshake {
            connector: TlsConnector::from(Arc::new(config)),
            server_name: self.server_name.clone(),
            timeout: self.handshake_timeout,
            must_agree: !alpn.is_empty(),
        }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Makes a [`ClientTls`].
#[must_use = "nothing is made before `build`"]
pub struct ClientTlsBuilder {
    trust: Vec<(&'static str, Pem)>,
    certificate: Option<(&'static str, Pem)>,
    key: Option<(&'static str, Pem)>,
    server_name: Option<String>,
    handshake_timeout: Duration,
}

impl ClientTlsBuilder {
    /// Trusts servers whose chain ends in one of these certificates. May be called several times.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust.push(("trust_pem", Pem::Bytes(pem.into())));
        self
    }

    /// The same, from a file, which is read by `build`.
    pub fn trust_file(mut self, path: impl AsRef<Path>) -> Self {
        self.trust
            .push(("trust_file", Pem::File(path.as_ref().to_owned())));
        self
    }

    /// Shows this certificate, with the chain up to its authority, to servers that want to know who calls. Its key is needed
    /// as well. Default: none.
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

    /// Expects this name, or IP address, in the server's certificate. Default: the host of the address that is dialled;
    /// `localhost` for a unix socket.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Sets how long a handshake may take. Default: 10 s; never longer than the dial as a whole.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Checks it all and makes the settings.
    ///
    /// # Errors
    /// Names the setting: `trust_pem` or `trust_file` if nothing is trusted, a file cannot be read, or there is no usable
    /// certificate in it; `certificate_pem`, `certificate_file`, `key_pem` or `key_file` likewise, or if there is one without
    /// the other; `server_name` if it is neither a DNS name nor an IP address; `handshake_timeout` if it is zero.
    pub fn build(self) -> Result<ClientTls, BuildError> {
        if self.trust.is_empty() {
            let problem = "nothing is trusted, so no server can be: give the certificates of an authority";
            return Err(BuildError::new("trust_pem", problem));
        }
        if self.handshake_timeout.is_zero() {
            return Err(BuildError::new(
                "handshake_timeout",
                "no handshake fits into zero time",
            ));
        }
        let mut roots = RootCertStore::empty();
        for (field, pem) in &self.trust {
            for certificate in pem.certificates(field)? {
                roots.add(certificate).map_err(|error| {
                    BuildError::new(*field, format!("a certificate in it cannot be trusted: {error}"))
                        .with_source(error)
                })?;
            }
        }
        let server_name = self.server_name.as_deref().map(named).transpose()?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| BuildError::new("tls", error.to_string()).with_source(error))?
            .with_root_certificates(roots);
        let config = match (self.certificate, self.key) {
            (None, None) => config.with_no_client_auth(),
            (Some((field, certificate)), Some((key_field, key))) => config
                .with_client_auth_cert(certificate.certificates(field)?, key.key(key_field)?)
                .map_err(|error| BuildError::new(key_field, error.to_string()).with_source(error))?,
            (Some((field, _)), None) => {
                return Err(BuildError::new(
                    field,
                    "a certificate is of no use without its key",
                ));
            }
            (None, Some((field, _))) => {
                return Err(BuildError::new(
                    field,
                    "a key is of no use without its certificate",
                ));
            }
        };
        Ok(ClientTls {
            config: Arc::new(config),
            server_name,
            handshake_timeout: self.handshake_timeout,
        })
    }
}

impl fmt::Debug for ClientTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTlsBuilder")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// TLS as one dialer speaks it.
#[derive(Clone)]
pub(in crate::net) struct ClientHandshake {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
    timeout: Duration,
    /// Protocols are offered: a server that agrees on none speaks something else.
    must_agree: bool,
}

impl ClientHandshake {
    pub(in crate::net) async fn run(
        &self,
        dialed: Dialed,
        address: &Address,
        deadline: Instant,
    ) -> io::Result<Dialed> {
        let name = self.name_of(address)?;
        let deadline = deadline.min(Deadline::after(self.timeout).instant());
        let stream = tokio::time::timeout_at(deadline, self.connector.connect(name, dialed.io))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long"))?
            .map_err(error::explain)?;
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        if self.must_agree && alpn.is_none() {
            return Err(io::Error::other("the server agreed on no protocol by ALPN"));
        }
        Ok(Dialed {
            io: Box::new(stream),
            alpn,
            secure: true,
            fails_late: true,
            ..dialed
        })
    }

    fn name_of(&self, address: &Address) -> io::Result<ServerName<'static>> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        match address {
            Address::Socket(socket) => Ok(ServerName::from(socket.ip())),
            Address::Host(host, _) => ServerName::try_from(host.to_string()).map_err(|_| {
                let text = format!("`{host}` cannot be in a certificate: set the name to expect");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            }),
            _ => Ok(ServerName::try_from("localhost").expect("`localhost` is a DNS name")),
        }
    }
}

impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

fn named(name: &str) -> Result<ServerName<'static>, BuildError> {
    ServerName::try_from(name.to_owned()).map_err(|error| {
        BuildError::new(
            "server_name",
            format!("`{name}` is neither a DNS name nor an IP address"),
        )
        .with_source(error)
    })
}
