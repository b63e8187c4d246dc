//! Is a service there? Asked in the words of the service.

use std::time::Duration;

use rpc::{BuildError, Client, call::CallOptions, grpc::ClientConfig, net::tls::ClientTls};
use tokio::{net::TcpStream, time::timeout};

use crate::health::v1::{
    Health as _, HealthCheckRequest, HealthClient, health_check_response::ServingStatus,
};

/// Longer than that is no answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How a service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    /// gRPC's health service, about one service or, with an empty name, all of them.
    Grpc { address: String, service: String },
    /// Connecting is enough.
    Tcp(String),
}

/// Asks, over one connection.
pub(crate) enum Prober {
    Grpc { client: Box<Client>, service: String },
    Tcp(String),
}

impl Probe {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once("://").unwrap_or(("grpc", text));
        let (address, service) = rest.split_once('/').unwrap_or((rest, ""));
        if address.is_empty() {
            return Err(format!("`--health`: no address in `{text}`"));
        }
        let address = address.to_owned();
        match kind {
            "grpc" => Ok(Self::Grpc {
                address,
                service: service.to_owned(),
            }),
            "tcp" if service.is_empty() => Ok(Self::Tcp(address)),
            _ => Err(format!(
                "`--health`: `{kind}` is not a probe; there are: grpc://host:port/service, tcp://host:port"
            )),
        }
    }

    /// What asks at an interval, gRPC's health service over TLS if that is given.
    pub(crate) fn prober(self, interval: Duration, tls: Option<ClientTls>) -> Result<Prober, BuildError> {
        match self {
            Self::Tcp(address) => Ok(Prober::Tcp(address)),
            Self::Grpc { address, service } => {
                let client = Client::builder()
                    .target(format!("static://{address}"))
                    .grpc(config(interval));
                let client = match tls {
                    Some(tls) => client.tls(tls).build()?,
                    None => client.build()?,
                };
                let client = Box::new(client);
                Ok(Prober::Grpc { client, service })
            }
        }
    }
}

impl Prober {
    /// Asks once.
    pub(crate) async fn ask(&self) -> Result<(), String> {
        match self {
            Self::Tcp(address) => match timeout(TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no connection in time".to_owned()),
            },
            Self::Grpc { client, service } => {
                let options = CallOptions::new().with_timeout(TIMEOUT);
                let stub = HealthClient::new(&**client).with_options(options);
                let service = service.clone();
                let answer = stub.check(HealthCheckRequest { service }).await;
                match answer.map_err(|status| status.to_string())?.status() {
                    ServingStatus::Serving => Ok(()),
                    other => Err(format!("it says {}", other.as_str_name())),
                }
            }
        }
    }
}

/// However long the service was away, each probe connects anew.
fn config(interval: Duration) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.link.connect_timeout = TIMEOUT;
    let backoff = &mut config.link.backoff;
    backoff.base = interval / 2;
    backoff.max = interval / 2;
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_was_away_for_long_is_connected_to_by_the_next_probe() {
        for interval in [
            Duration::from_millis(10),
            Duration::from_secs(2),
            Duration::from_hours(1),
        ] {
            let config = config(interval);
            config.link.check().unwrap();
            assert!((1..1000).all(|failures| config.link.backoff.pause(failures) < interval));
        }
    }
}
