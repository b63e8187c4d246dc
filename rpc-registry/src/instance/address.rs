//! Where an instance listens, and what is spoken there.

use std::{borrow::Cow, fmt, str::FromStr};

use rpc_core::net::Address;

use crate::Fault;

/// An address of an instance, and what is spoken there.
///
/// As text it is `protocol://address`: `grpc://10.0.0.1:50051`, `grpc://unix:/run/shop.sock`; without a protocol the
/// address alone.
///
/// ```
/// use rpc_registry::InstanceAddress;
///
/// let address: InstanceAddress = "grpc://10.0.0.1:50051".parse()?;
/// assert_eq!(address.protocol.as_deref(), Some("grpc"));
/// assert_eq!(address.to_string(), "grpc://10.0.0.1:50051");
/// # Ok::<(), rpc_registry::Fault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct InstanceAddress {
    /// `grpc`, `grpcs` over TLS, `framed`, `local`; `None` where the target does not say, as a list of addresses does not.
    pub protocol: Option<Cow<'static, str>>,
    /// Where.
    pub address: Address,
}

impl InstanceAddress {
    /// An address where a protocol is spoken.
    pub fn new(protocol: impl Into<Cow<'static, str>>, address: Address) -> Self {
        Self {
            protocol: Some(protocol.into()),
            address,
        }
    }

    /// An address where whatever the client speaks is understood.
    pub fn any(address: Address) -> Self {
        let protocol = None;
        Self { protocol, address }
    }

    /// The protocol that is spoken there over TLS, if the record says so: `grpc` where it lists `grpcs`, as Kratos does.
    pub fn over_tls(&self) -> Option<&str> {
        self.protocol.as_deref()?.strip_suffix('s')
    }
}

impl FromStr for InstanceAddress {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let invalid = |problem: &dyn fmt::Display| Fault::invalid("endpoints", problem);
        // `unix:///run/shop.sock` is an address by itself, and what follows may be anything.
        let is_bare = text.starts_with("unix:") || text.starts_with("local:");
        let (protocol, address) = match text.split_once("://").filter(|_| !is_bare) {
            None => (None, text),
            Some((protocol, address)) => (Some(protocol), address),
        };
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.');
        if let Some(word) = protocol.filter(|word| word.is_empty() || !word.bytes().all(is_word)) {
            let shown: String = word.chars().take(64).collect();
            return Err(invalid(&format_args!(
                "`{shown}` is no protocol: lower-case letters and digits"
            )));
        }
        let address = address.parse().map_err(|error| invalid(&error))?;
        // Written again, it would be read as another one.
        if matches!(&address, Address::Unix(path) if path.as_os_str().as_encoded_bytes().starts_with(b"//")) {
            return Err(invalid(&format_args!(
                "the path of `{address}` begins with more than one `/`"
            )));
        }
        if matches!(address, Address::Host(_, 0)) || matches!(address, Address::Socket(s) if s.port() == 0) {
            return Err(invalid(&format_args!("port 0 of `{address}` cannot be called")));
        }
        let protocol = protocol.map(intern);
        Ok(Self { protocol, address })
    }
}

impl fmt::Display for InstanceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(protocol) = &self.protocol {
            write!(f, "{protocol}://")?;
        }
        self.address.fmt(f)
    }
}

/// Ten thousand records name the same few protocols.
fn intern(protocol: &str) -> Cow<'static, str> {
    match protocol {
        "grpc" => Cow::Borrowed("grpc"),
        "grpcs" => Cow::Borrowed("grpcs"),
        "framed" => Cow::Borrowed("framed"),
        "http" => Cow::Borrowed("http"),
        other => Cow::Owned(other.to_owned()),
    }
}
