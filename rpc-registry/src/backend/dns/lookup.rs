//! Asking, and what an answer means.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType},
    system_conf::read_system_conf,
};
use rpc_core::net::Address;

use crate::{Fault, Instance};

/// What is asked, and whom.
pub(super) struct Lookup {
    pub(super) servers: Servers,
    pub(super) question: Question,
}

pub(super) enum Servers {
    Named(Vec<SocketAddr>),
    /// The system's, read anew for each resolver.
    System(Box<dyn Fn() -> Result<Settings, Fault> + Send + Sync>),
}

/// Which servers there are, and how they are to be asked.
pub(super) type Settings = (ResolverConfig, ResolverOpts);

pub(super) enum Question {
    Host(String, u16),
    Srv(String),
}

/// What was answered.
pub(super) struct Answer {
    pub(super) instances: Vec<Instance>,
    pub(super) ttl: Duration,
}

/// The addresses of the last answer, by family: they stay while their family cannot be asked.
#[derive(Default)]
pub(super) struct Families {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
}

/// What the system is set to, `/etc/resolv.conf` for instance.
pub(super) fn settings_of_system() -> Result<Settings, Fault> {
    read_system_conf().map_err(|error| fault("the system's DNS servers are not known", error))
}

fn config_of(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        config.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
            .map(|mut connection| {
                connection.port = server.port();
                connection
            })
            .into();
        config
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}

/// How long an answer is good that says nothing of it, and the longest that anything is good.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// True if it can be asked for.
pub(super) fn is_name(text: &str) -> bool {
    Name::from_utf8(text).is_ok()
}

impl Lookup {
    /// What asks. Needs a runtime.
    pub(super) fn resolver(&self) -> Result<TokioResolver, Fault> {
        let (config, options) = match &self.servers {
            Servers::Named(servers) => (config_of(servers), ResolverOpts::default()),
            Servers::System(read) => read()?,
        };
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let mut builder = builder.with_options(options);
        let options = builder.options_mut();
        // When to ask again is decided by whoever asks.
        options.cache_size = 0;
        options.try_tcp_on_error = true;
        builder
            .build()
            .map_err(|error| fault("DNS cannot be asked", error))
    }

    /// Asks. No instance is absence.
    pub(super) async fn ask(&self, dns: &TokioResolver, families: &mut Families) -> Result<Answer, Fault> {
        match &self.question {
            Question::Host(host, port) => ask_host(dns, host, *port, families).await,
            Question::Srv(name) => ask_srv(dns, name).await,
        }
    }
}

async fn ask_host(
    dns: &TokioResolver,
    host: &str,
    port: u16,
    families: &mut Families,
) -> Result<Answer, Fault> {
    if let Ok(ip) = host.parse() {
        return Ok(Answer {
            instances: vec![at(SocketAddr::new(ip, port).into())],
            ttl: LONGEST,
        });
    }
    let (v4, v6) = tokio::join!(
        ask_for(dns, host, RecordType::A),
        ask_for(dns, host, RecordType::AAAA)
    );
    let mut ttl = LONGEST;
    let mut failed = None;
    let mut is_answered = false;
    for (answer, family) in [(v4, &mut families.v4), (v6, &mut families.v6)] {
        match answer {
            Ok((records, lasts)) => {
                ttl = ttl.min(lasts);
                let ip = |data| match data {
                    RData::A(a) => Some(IpAddr::V4(a.0)),
                    RData::AAAA(a) => Some(IpAddr::V6(a.0)),
                    _ => None,
                };
                *family = records.into_iter().filter_map(ip).collect();
                is_answered |= !family.is_empty();
            }
            Err(fault) => failed = Some(fault),
        }
    }
    let mut all: Vec<IpAddr> = families.v4.iter().chain(&families.v6).copied().collect();
    all.sort_unstable();
    all.dedup();
    match failed {
        // What is left is remembered, if anything: the server has said nothing of it.
        Some(fault) if !is_answered => Err(fault),
        // What there is may not be all, but nothing would be wrong.
        _ => Ok(Answer {
            instances: all
                .into_iter()
                .map(|ip| at(SocketAddr::new(ip, port).into()))
                .collect(),
            ttl,
        }),
    }
}

async fn ask_srv(dns: &TokioResolver, name: &str) -> Result<Answer, Fault> {
    let (records, ttl) = ask_for(dns, name, RecordType::SRV).await?;
    let records = records.into_iter().filter_map(|data| match data {
        // A target of `.` says that the service is decidedly not there (RFC 2782).
        RData::SRV(srv) if !srv.target.is_root() && srv.port > 0 => Some(srv),
        _ => None,
    });
    let records: Vec<_> = records.collect();
    let best = records.iter().map(|srv| srv.priority).min();
    let mut instances: Vec<_> = records
        .iter()
        .filter(|srv| Some(srv.priority) == best)
        .map(|srv| {
            let host = srv.target.to_utf8();
            // A weight of 0 is "hardly any", where others have more.
            at(Address::Host(host.trim_end_matches('.').into(), srv.port))
                .with_weight(u32::from(srv.weight.max(1)))
        })
        .collect();
    instances.sort_by(|a, b| a.id.cmp(&b.id));
    instances.dedup_by(|a, b| a.id == b.id);
    Ok(Answer { instances, ttl })
}

/// The records of a type, and how long they are good. None are absence, which is no fault.
async fn ask_for(dns: &TokioResolver, name: &str, of: RecordType) -> Result<(Vec<RData>, Duration), Fault> {
    match dns.lookup(name, of).await {
        Ok(lookup) => {
            let answers = lookup.answers();
            let ttl = answers.iter().map(|record| record.ttl).min();
            let ttl = ttl.map_or(LONGEST, |seconds| Duration::from_secs(seconds.into()));
            Ok((answers.iter().map(|record| record.data.clone()).collect(), ttl))
        }
        Err(error) if error.is_no_records_found() && !is_failure(&error) => Ok((Vec::new(), LONGEST)),
        Err(error) => Err(fault(&format!("DNS: {of} of `{name}`"), error)),
    }
}

/// True if an answer without records says that the server could not find out.
fn is_failure(error: &NetError) -> bool {
    use hickory_resolver::{net::DnsError, proto::op::ResponseCode};
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            !matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
        }
        _ => true,
    }
}

fn at(address: Address) -> Instance {
    Instance::new(address.to_string()).with_any_address(address)
}

fn fault(what: &str, error: impl Error + Send + Sync + 'static) -> Fault {
    Fault::transient(format!("{what}: {error}")).with_source(error)
}
