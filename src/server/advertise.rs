//! The address that others are told to call.
//!
//! A server that listens on `0.0.0.0` listens everywhere, and nobody can call that. What is announced instead is the
//! address of this host from which a packet to the outside would leave: the kernel says which, without one being sent.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    str::FromStr,
    sync::Arc,
};

use rpc_core::{BuildError, net::Address};

/// What the user said of it.
#[derive(Debug, Clone)]
pub(super) enum Advertise {
    /// A host, with the port that is listened on.
    Host(Arc<str>),
    /// All of it.
    Address(Address),
}

impl FromStr for Advertise {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let wrong = |problem: &str| Err(BuildError::new("advertise", format!("`{text}`: {problem}")));
        let advertise = if let Ok(address) = text.parse() {
            Self::Address(address)
        } else {
            let host = text.trim_start_matches('[').trim_end_matches(']');
            let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if host.is_empty() || (host.parse::<IpAddr>().is_err() && !host.bytes().all(is_name)) {
                return wrong("is neither a host nor a host and a port");
            }
            Self::Host(host.into())
        };
        let ip = match &advertise {
            Self::Host(host) => host.parse().ok(),
            Self::Address(Address::Socket(socket)) => Some(socket.ip()),
            Self::Address(_) => None,
        };
        if ip.is_some_and(|ip: IpAddr| ip.is_unspecified()) {
            return wrong("nobody can call that: give an address of this host");
        }
        Ok(advertise)
    }
}

/// The address to announce for one that is listened on.
pub(super) fn advertised(said: Option<&Advertise>, listening: &Address) -> Address {
    let Address::Socket(socket) = listening else {
        return listening.clone();
    };
    match said {
        Some(Advertise::Address(address)) => address.clone(),
        Some(Advertise::Host(host)) => match host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, socket.port()).into(),
            Err(_) => Address::Host(Arc::clone(host), socket.port()),
        },
        None if !socket.ip().is_unspecified() => listening.clone(),
        None => {
            let ip = outward(socket.ip());
            if ip.is_loopback() {
                tracing::warn!(%ip, "this host has no address that others could call; announcing one that only itself can");
            }
            SocketAddr::new(ip, socket.port()).into()
        }
    }
}

/// The address from which this host calls others.
fn outward(listening: IpAddr) -> IpAddr {
    // Addresses of documentation (RFC 5737, RFC 3849): there is a route to them if there is a default route, and nobody.
    let v4 = (
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)),
    );
    let v6 = (
        IpAddr::from(Ipv6Addr::UNSPECIFIED),
        IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    );
    // A socket on `::` takes IPv4 too, and more can call that.
    let families = if listening.is_ipv4() {
        vec![v4]
    } else {
        vec![v4, v6]
    };
    let source = |(from, to): (IpAddr, IpAddr)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        // Connecting a datagram socket only looks the route up.
        socket.connect((to, 9)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
    };
    let loopback = if listening.is_ipv4() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    };
    families.into_iter().find_map(source).unwrap_or(loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_is_told_to_call_everywhere() {
        for listening in ["0.0.0.0:80", "[::]:80"] {
            let Address::Socket(socket) = advertised(None, &address(listening)) else {
                panic!("a socket's address")
            };
            assert!(!socket.ip().is_unspecified());
            assert_eq!(socket.port(), 80);
        }
    }

    #[test]
    fn what_is_said_wins_and_what_is_certain_stays() {
        let cases = [
            (Some("shop.internal"), "0.0.0.0:80", "shop.internal:80"),
            (Some("10.0.0.7"), "0.0.0.0:80", "10.0.0.7:80"),
            (Some("[fd00::1]"), "[::]:80", "[fd00::1]:80"),
            (Some("fd00::1"), "[::]:80", "[fd00::1]:80"),
            (Some("10.0.0.7:8080"), "127.0.0.1:80", "10.0.0.7:8080"),
            (None, "127.0.0.1:80", "127.0.0.1:80"),
            (Some("10.0.0.7"), "unix:/run/shop.sock", "unix:/run/shop.sock"),
        ];
        for (said, listening, expected) in cases {
            let said = said.map(|said| said.parse::<Advertise>().unwrap());
            let told = advertised(said.as_ref(), &address(listening));
            assert_eq!(told.to_string(), expected);
        }
        for wrong in ["", "0.0.0.0", "[::]", "0.0.0.0:80", "a b", "a:b:c/"] {
            let error = wrong.parse::<Advertise>().unwrap_err();
            assert_eq!(error.field(), "advertise");
        }
    }
}
