//! Instances from DNS.
//!
//! | target | looks up | an instance is |
//! | --- | --- | --- |
//! | `dns:///shop.internal:50051` | A and AAAA of the host | each address, with that port |
//! | `dns+srv:///_grpc._tcp.shop.internal` | SRV | each target of the lowest priority, with its port and weight |
//!
//! The authority is a DNS server, `dns://10.0.0.53:53/shop.internal:50051`; without one the system's are asked, and after a
//! fault those that are the system's by then. A name with a dot at its end is looked up as it is, others under the system's
//! search domains as well.
//!
//! The targets of SRV records are connected to by name, which TLS checks certificates against: their addresses are looked up by
//! the system's resolver at each connect, also where the authority names another server. That one is asked for SRV alone, and what only
//! it knows the addresses of cannot be connected to.
//!
//! # When
//! An answer is good for its time to live, but at least 5 s and at most 30 s, give or take a tenth; when an instance cannot
//! be connected to, the name is looked up sooner, but not within 5 s of the last time. (gRPC's DNS resolver asks again only
//! then, and at most each 30 s: a new instance is not seen for as long as all old ones work.)
//!
//! # What is absence
//! That there is no such name, or no record of the type, is [`Absent`](crate::Update::Absent). A server that fails, or does
//! not answer, is a fault. If only one family of addresses fails, its last ones stay
//! as long as there are addresses of the other one.
//!
//! The system's resolver (`getaddrinfo`) was rejected: it tells no time to live, knows no SRV, and cannot tell absence from
//! failure.

mod lookup;
mod watch;

use std::{net::IpAddr, sync::Arc};

use rpc_core::{BuildError, net::Address};

use self::{
    lookup::{Lookup, Question, Servers},
    watch::DnsResolver,
};
use crate::{Resolver, Scheme, Target};

/// `dns:///shop.internal:50051`: the addresses of a host.
#[derive(Debug, Clone, Copy, Default)]
pub struct DnsScheme;

/// `dns+srv:///_grpc._tcp.shop.internal`: the targets of SRV records.
#[derive(Debug, Clone, Copy, Default)]
pub struct DnsSrvScheme;

impl Scheme for DnsScheme {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn has_groups(&self) -> bool {
        false
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        target.only_options(&[])?;
        let example = "write `dns:///shop.internal:50051`";
        let question = match target.name().parse::<Address>() {
            Ok(Address::Host(host, port)) => Question::Host(host.to_string(), port),
            Ok(Address::Socket(socket)) => Question::Host(socket.ip().to_string(), socket.port()),
            _ => return Err(target.error(format!("no host and port: {example}"))),
        };
        resolver(target, question)
    }
}

impl Scheme for DnsSrvScheme {
    fn name(&self) -> &'static str {
        "dns+srv"
    }

    fn has_groups(&self) -> bool {
        false
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        target.only_options(&[])?;
        let name = target.name();
        if name.is_empty() || name.contains([':', '/']) {
            return Err(target.error("no name: write `dns+srv:///_grpc._tcp.shop.internal`"));
        }
        resolver(target, Question::Srv(name.to_owned()))
    }
}

fn resolver(target: &Target, question: Question) -> Result<Arc<dyn Resolver>, BuildError> {
    let mut servers = Vec::new();
    for host in target.hosts() {
        let server = match host.parse::<Address>() {
            Ok(Address::Socket(socket)) => Some(socket),
            _ => host.parse::<IpAddr>().ok().map(|ip| (ip, 53).into()),
        };
        servers.push(server.ok_or_else(|| {
            target.error(format!(
                "DNS server `{host}` is no IP address, with or without a port"
            ))
        })?);
    }
    if let Question::Host(host, _) | Question::Srv(host) = &question
        && !lookup::is_name(host)
    {
        return Err(target.error(format!("`{host}` is not a name that DNS knows")));
    }
    let servers = if servers.is_empty() {
        Servers::System(Box::new(lookup::settings_of_system))
    } else {
        Servers::Named(servers)
    };
    let lookup = Lookup { servers, question };
    Ok(Arc::new(DnsResolver(Arc::new(lookup))))
}
