//! Why a server could not serve.

use std::{error::Error, fmt};

use rpc_core::{
    BoxError,
    net::{Address, BindError, InvalidAddress},
};

/// A server could not begin to serve: an address could not be bound, or a registry did not take it.
#[derive(Debug)]
pub struct ServeError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Address(InvalidAddress),
    Bind(BindError),
    Announce { text: String, source: Option<BoxError> },
    Signals(std::io::Error),
}

impl ServeError {
    /// The address that could not be bound, if it was that.
    pub fn address(&self) -> Option<&Address> {
        match &*self.0 {
            Kind::Bind(error) => error.address(),
            _ => None,
        }
    }

    /// True if another process, or another server in this one, listens on the address already.
    pub fn is_address_in_use(&self) -> bool {
        matches!(&*self.0, Kind::Bind(error) if error.kind() == std::io::ErrorKind::AddrInUse)
    }

    /// True if a text that was given as an address is none.
    pub fn is_invalid_address(&self) -> bool {
        matches!(&*self.0, Kind::Address(_))
    }

    /// True if the server cannot be announced: a registry said that the instance makes no sense, or what is to be advertised
    /// is none of the addresses that it listens on.
    pub fn is_announce(&self) -> bool {
        matches!(&*self.0, Kind::Announce { .. })
    }

    pub(super) fn announce(text: String, source: Option<BoxError>) -> Self {
        Self(Box::new(Kind::Announce { text, source }))
    }

    pub(super) fn signals(error: std::io::Error) -> Self {
        Self(Box::new(Kind::Signals(error)))
    }
}

impl From<BindError> for ServeError {
    fn from(error: BindError) -> Self {
        Self(Box::new(Kind::Bind(error)))
    }
}

impl From<InvalidAddress> for ServeError {
    fn from(error: InvalidAddress) -> Self {
        Self(Box::new(Kind::Address(error)))
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Address(error) => error.fmt(f),
            Kind::Bind(error) => error.fmt(f),
            Kind::Announce { text, .. } => f.write_str(text),
            Kind::Signals(error) => write!(f, "cannot listen for signals: {error}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Address(_) => None,
            // The text of a bind error ends with what the system said.
            Kind::Bind(error) => error.source(),
            Kind::Announce { source, .. } => source.as_deref().map(|source| source as _),
            Kind::Signals(error) => Some(error),
        }
    }
}
