//! Why a dial failed, in the words of the status that the caller reads.

use std::{fmt::Write, io, net::SocketAddr, time::Duration};

use crate::{BoxError, Status, net::Address, status::reason};

/// A status names so many addresses at most; a name may have hundreds.
const NAMED: usize = 8;

/// What happened to one address. Without an error, it had not answered when the time was up.
pub(super) type Tried = (SocketAddr, Option<io::Error>);

pub(super) enum Failure {
    /// The name could not be looked up; without an error, not in time.
    Lookup(Option<io::Error>),
    /// The name has no address.
    NoAddress,
    /// No address could be connected to.
    Race { tried: Vec<Tried>, of: usize },
    /// The unix socket could not be connected to.
    Connect(io::Error),
    /// TLS failed.
    #[cfg(feature = "tls")]
    Tls(io::Error),
    /// A service in this process has no socket.
    Local,
}

impl Failure {
    pub(super) fn into_status(self, address: &Address, timeout: Duration) -> Status {
        let mut text = format!("cannot connect to {address}: ");
        // Writing into a text cannot fail.
        let mut source: Option<BoxError> = None;
        match self {
            Self::Lookup(None) => _ = write!(text, "its name was not looked up within {timeout:?}"),
            Self::Lookup(Some(error)) => {
                _ = write!(text, "its name was not found: {error}");
                source = Some(error.into());
            }
            Self::NoAddress => text.push_str("its name has no address"),
            Self::Race { tried, of } => source = describe(tried, of, timeout, &mut text),
            Self::Connect(error) => {
                _ = write!(text, "{error}");
                source = Some(error.into());
            }
            #[cfg(feature = "tls")]
            Self::Tls(error) => {
                _ = write!(text, "TLS failed: {error}");
                source = Some(error.into());
            }
            Self::Local => text.push_str("a service in this process is reached by the local transport alone"),
        }
        let status = Status::unavailable(text)
            .with_reason(reason::CONNECT_FAILED)
            .with_domain(reason::DOMAIN)
            .not_processed();
        match source {
            Some(source) => status.with_source(source),
            None => status,
        }
    }
}

/// Writes what happened to each address; the first error is the source.
fn describe(tried: Vec<Tried>, of: usize, timeout: Duration, text: &mut String) -> Option<BoxError> {
    let more = tried.len().saturating_sub(NAMED);
    let untried = of - tried.len();
    let mut source = None;
    for (index, (address, error)) in tried.into_iter().enumerate() {
        if index < NAMED {
            let separator = if index == 0 { "" } else { "; " };
            _ = match &error {
                Some(error) => write!(text, "{separator}{address}: {error}"),
                None => write!(text, "{separator}{address}: no answer within {timeout:?}"),
            };
        }
        source = source.or(error);
    }
    if more > 0 {
        _ = write!(text, "; and {more} more");
    }
    if untried > 0 {
        _ = write!(text, "; {untried} not tried in time");
    }
    source.map(Into::into)
}
