//! The address that others are told to call.
//!
//! A server that listens on `0.0.0.0` listens everywhere, and nobody can call that. What is announced instead is the
//! address of this host from which a packet to the outside would leave: the kernel says which, without one being sent. A host
//! whose network is not up yet has none; its loopback address stands in until it has.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    str::FromStr,
    sync::Arc,
};

use rpc_core::{BuildError, net::Address};

use super::ServeError;

/// Refuses what was said of it where no address is listened on that it could be: a unix socket has neither host nor port.
pub(super) fn check(said: Option<&Advertise>, listening: &[Address]) -> Result<(), ServeError> {
    if said.is_some() && !listening.iter().any(|at| matches!(at, Address::Socket(_))) {
        let text = "`advertise`: the server listens on unix sockets alone, which are announced as they are: leave it out, or \
                    listen on a port as well";
        return Err(ServeError::announce(text.to_owned(), None));
    }
    Ok(())
}

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
        match &advertise {
            Self::Address(Address::Local(_)) => return wrong("others cannot call into this process"),
            Self::Address(address) if port(address) == Some(0) => {
                return wrong("nobody can call port 0: leave it out, or give the one that others call");
            }
            _ => {}
        }
        Ok(advertise)
    }
}

fn port(address: &Address) -> Option<u16> {
    match address {
        Address::Socket(socket) => Some(socket.port()),
        Address::Host(_, port) => Some(*port),
        _ => None,
    }
}

/// How a host finds the address from which it calls others, for a socket that listens on all addresses of a family.
pub(super) type Outward = fn(IpAddr) -> Option<IpAddr>;

/// What to announce for an address that is listened on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advertised {
    /// This.
    Address(Address),
    /// This, as nobody said otherwise, and only this host can call it.
    Loopback(Address),
    /// This host has none that others could call, and perhaps not yet: the loopback address, until there is one.
    StandIn(StandIn),
}

/// The announced address of a socket that listens on all addresses of a host without one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StandIn(SocketAddr);

impl StandIn {
    /// What is announced meanwhile.
    pub(super) fn address(&self) -> Address {
        let loopback: IpAddr = match self.0.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(loopback, self.0.port()).into()
    }

    /// What is to be announced in its place, once there is one.
    pub(super) fn relief(&self, outward: Outward) -> Option<Address> {
        outward(self.0.ip()).map(|ip| SocketAddr::new(ip, self.0.port()).into())
    }
}

/// The address to announce for one that is listened on.
pub(super) fn advertised(said: Option<&Advertise>, listening: &Address, outward: Outward) -> Advertised {
    let Address::Socket(socket) = listening else {
        return Advertised::Address(listening.clone());
    };
    Advertised::Address(match said {
        Some(Advertise::Address(address)) => address.clone(),
        Some(Advertise::Host(host)) => match host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, socket.port()).into(),
            Err(_) => Address::Host(Arc::clone(host), socket.port()),
        },
        None if socket.ip().to_canonical().is_loopback() => return Advertised::Loopback(listening.clone()),
        None if !socket.ip().is_unspecified() => listening.clone(),
        None => {
            let stand_in = StandIn(*socket);
            match stand_in.relief(outward) {
                Some(address) => address,
                None => return Advertised::StandIn(stand_in),
            }
        }
    })
}

/// The address from which this host calls others.
pub(super) fn outward(listening: IpAddr) -> Option<IpAddr> {
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
    families.into_iter().find_map(source)
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
            let told = match advertised(None, &address(listening), outward) {
                Advertised::Address(address) | Advertised::Loopback(address) => address,
                Advertised::StandIn(stand_in) => stand_in.address(),
            };
            let Address::Socket(socket) = told else {
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
            (Some("127.0.0.1"), "127.0.0.1:80", "127.0.0.1:80"),
            (None, "10.0.0.7:80", "10.0.0.7:80"),
            (Some("10.0.0.7"), "unix:/run/shop.sock", "unix:/run/shop.sock"),
        ];
        for (said, listening, expected) in cases {
            let said = said.map(|said| said.parse::<Advertise>().unwrap());
            let told = advertised(said.as_ref(), &address(listening), |_| None);
            assert_eq!(told, Advertised::Address(address(expected)));
        }
        for only_here in ["127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"].map(address) {
            let told = advertised(None, &only_here, |_| None);
            assert_eq!(told, Advertised::Loopback(only_here));
        }
        for wrong in [
            "",
            "0.0.0.0",
            "[::]",
            "0.0.0.0:80",
            "a b",
            "a:b:c/",
            "local:shop",
            "10.0.0.7:0",
            "shop.internal:0",
        ] {
            let error = wrong.parse::<Advertise>().unwrap_err();
            assert_eq!(error.field(), "advertise");
        }
    }
}
