//! What a new connection speaks, and which transport that means.

use std::{fmt, future::poll_fn, io, pin::Pin, sync::Arc, time::Duration};

use super::{
    ListenConfig,
    linger::lend,
    prefixed::{Prefix, Prefixed},
};
#[cfg(feature = "tls")]
use crate::net::tls::ServerHandshake;
use crate::{
    BoxFuture,
    transport::{Drain, Io, Recognition, ServerTransport},
};

/// Opens connections: TLS, then the transport.
pub(super) struct Opener {
    transports: Vec<Arc<dyn ServerTransport>>,
    timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<ServerHandshake>,
}

/// A connection of which it is known what it speaks.
pub(super) struct Opened {
    pub(super) io: Box<dyn Io>,
    /// Ends the connection once the transport has dropped its stream.
    pub(super) ends: BoxFuture<'static, ()>,
    pub(super) transport: Arc<dyn ServerTransport>,
    pub(super) secure: bool,
}

/// Why a connection was closed before it was served.
pub(super) enum Refused {
    /// It came and went without a byte: a probe of the port.
    Silent,
    /// It took longer than allowed.
    Late,
    /// It speaks nothing that is spoken here.
    Unknown,
    /// It speaks TLS where none is spoken.
    UnexpectedTls,
    /// It broke.
    Broken(io::Error),
    /// TLS failed.
    #[cfg(feature = "tls")]
    Tls(io::Error),
}

impl Opener {
    pub(super) fn new(transports: Vec<Arc<dyn ServerTransport>>, config: &ListenConfig) -> Self {
        #[cfg(feature = "tls")]
        let tls = config.tls.as_ref().map(|tls| {
            let mut alpn: Vec<Vec<u8>> = Vec::new();
            for protocol in transports.iter().map(|transport| transport.alpn()) {
                if !protocol.is_empty() && alpn.iter().all(|other| other != protocol) {
                    alpn.push(protocol.to_vec());
                }
            }
            tls.handshake(alpn)
        });
        Self {
            transports,
            timeout: config.handshake_timeout,
            #[cfg(feature = "tls")]
            tls,
        }
    }

    /// Finds out what a connection speaks.
    pub(super) async fn open<S: Io>(&self, stream: S, drain: Drain) -> Result<Opened, Refused> {
        tokio::time::timeout(self.timeout, self.recognise(stream, drain))
            .await
            .unwrap_or(Err(Refused::Late))
    }

    async fn recognise<S: Io>(&self, stream: S, drain: Drain) -> Result<Opened, Refused> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let (stream, alpn) = tls.run(stream).await.map_err(Refused::Tls)?;
            let transport = alpn
                .and_then(|alpn| self.transports.iter().find(|transport| transport.alpn() == alpn))
                .ok_or(Refused::Unknown)?;
            let (io, ends) = lend(stream, drain);
            return Ok(Opened {
                io: Box::new(io),
                ends,
                transport: Arc::clone(transport),
                secure: true,
            });
        }
        self.sniff(stream, drain).await
    }

    async fn sniff<S: Io>(&self, mut stream: S, drain: Drain) -> Result<Opened, Refused> {
        let mut prefix = Prefix::default();
        loop {
            let more = poll_fn(|cx| prefix.poll_fill(Pin::new(&mut stream), cx))
                .await
                .map_err(Refused::Broken)?;
            if prefix.seen().is_empty() {
                return Err(Refused::Silent);
            }
            match self.judge(prefix.seen()) {
                Verdict::Transport(transport) => {
                    let transport = Arc::clone(transport);
                    let (io, ends) = lend(Prefixed::new(prefix, stream), drain);
                    return Ok(Opened {
                        io: Box::new(io),
                        ends,
                        transport,
                        secure: false,
                    });
                }
                Verdict::More if more && !prefix.is_full() => {}
                _ if prefix.seen().starts_with(&[0x16, 0x03]) => return Err(Refused::UnexpectedTls),
                _ => return Err(Refused::Unknown),
            }
        }
    }

    /// Asks the transports in order. One that needs more bytes is waited for before a later one is asked.
    fn judge(&self, prefix: &[u8]) -> Verdict<'_> {
        for transport in &self.transports {
            match transport.recognises(prefix) {
                Recognition::Yes => return Verdict::Transport(transport),
                Recognition::More => return Verdict::More,
                Recognition::No => {}
            }
        }
        Verdict::Nobody
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("it was closed before the first byte"),
            Self::Late => f.write_str("it did not say in time what it speaks"),
            Self::Unknown => f.write_str("it speaks no protocol that is spoken here"),
            Self::UnexpectedTls => f.write_str("it speaks TLS, and this listener does not"),
            Self::Broken(error) => write!(f, "it broke: {error}"),
            #[cfg(feature = "tls")]
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
        }
    }
}

enum Verdict<'a> {
    Transport(&'a Arc<dyn ServerTransport>),
    More,
    Nobody,
}
