//! Is a service there? Asked in the words of the service.

use std::time::Duration;

use rpc::{BuildError, Client, call::CallOptions};
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

    /// What asks.
    pub(crate) fn prober(self) -> Result<Prober, BuildError> {
        match self {
            Self::Tcp(address) => Ok(Prober::Tcp(address)),
            Self::Grpc { address, service } => {
                let client = Client::builder().target(format!("static://{address}")).build()?;
                let client = Box::new(client);
                Ok(Prober::Grpc { client, service })
            }
        }
    }
}

impl Prober {
    /// Asks once.
    pub(crate) async fn answers(&self) -> bool {
        match self {
            Self::Tcp(address) => matches!(timeout(TIMEOUT, TcpStream::connect(address)).await, Ok(Ok(_))),
            Self::Grpc { client, service } => {
                let options = CallOptions::new().with_timeout(TIMEOUT);
                let stub = HealthClient::new(&**client).with_options(options);
                let service = service.clone();
                let answer = stub.check(HealthCheckRequest { service }).await;
                answer.is_ok_and(|answer| answer.status() == ServingStatus::Serving)
            }
        }
    }
}
