//! The answer of a predicate, before `not`.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{MILLION, Predicate, Test};
use crate::{
    matcher::{
        hash64,
        scalar::{Number, Scalar},
    },
    message::{FieldValue, Text},
    net::Address,
};

impl Predicate {
    /// Without `not`, for a value.
    pub(in crate::matcher) fn plain(&self, value: FieldValue<'_>) -> bool {
        match &self.test {
            Test::Equals(own) => own.equals(value),
            Test::In(own) => own.iter().any(|own| own.equals(value)),
            Test::Range(min, max) => Number::of(value).is_some_and(|value| {
                let number = |end: &Option<Scalar>| end.as_ref().and_then(Scalar::number);
                number(min).is_none_or(|min| value >= min) && number(max).is_none_or(|max| value <= max)
            }),
            Test::Prefix(own) => match value {
                FieldValue::Text(text) => own.iter().any(|prefix| text.starts_with(&**prefix)),
                _ => false,
            },
            Test::Regex(own) => match value {
                FieldValue::Text(text) => own.fits(text),
                _ => false,
            },
            Test::Cidr(own) => match value {
                FieldValue::Text(text) => ip_of(text).is_some_and(|ip| contain(own, ip)),
                _ => false,
            },
            Test::Hash { modulo, rests, salt } => {
                let hash = value.with_bytes(|bytes| hash64(bytes, salt.seed));
                hash.is_some_and(|hash| rests.contains(&(hash % modulo)))
            }
            Test::Percent { millionths, salt } => {
                let hash = value.with_bytes(|bytes| hash64(bytes, salt.seed));
                hash.is_some_and(|hash| share(hash) < *millionths)
            }
            Test::Exists(own) => *own,
        }
    }

    /// Without `not`, for no value.
    pub(in crate::matcher) fn plain_absent(&self) -> bool {
        matches!(self.test, Test::Exists(false))
    }

    /// Without `not`, for an address.
    pub(in crate::matcher) fn plain_address(&self, address: &Address) -> bool {
        if let (Test::Cidr(own), Address::Socket(address)) = (&self.test, address) {
            return contain(own, address.ip());
        }
        let mut text = Text::new();
        let text = match address {
            Address::Socket(address) => text.print(&address.ip().to_canonical()),
            Address::Host(host, _) => Some(&**host),
            Address::Unix(path) => path.to_str(),
            Address::Local(name) => Some(&**name),
        };
        text.is_some_and(|text| self.plain(FieldValue::Text(text)))
    }
}

/// Where a hash stands among a million, evenly.
fn share(hash: u64) -> u32 {
    ((u128::from(hash) * u128::from(MILLION)) >> 64) as u32
}

/// An address in a text, with or without a port.
fn ip_of(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(with_port)
}

fn contain(networks: &[IpNet], ip: IpAddr) -> bool {
    // What came over a socket for both families is what it is for one.
    let ip = ip.to_canonical();
    networks.iter().any(|network| network.contains(&ip))
}
