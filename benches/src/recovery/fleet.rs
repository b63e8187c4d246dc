//! The servers, one of which falls sick.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use rpc::{Code, Result, Server, Status};
use tokio::task::JoinHandle;

/// How many servers there are.
pub(super) const INSTANCES: usize = 10;

/// How long a call takes, and how long at an instance that is slow.
const WORK: Duration = Duration::from_millis(5);
const SLOW_WORK: Duration = WORK.saturating_mul(100);

/// What happens to the first instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Each call takes 100 times as long.
    Slow,
    /// Each call fails at once.
    Failing,
    /// The connections are cut, and nobody listens.
    Gone,
}

impl Fault {
    pub(super) const ALL: [Self; 3] = [Self::Slow, Self::Failing, Self::Gone];

    /// As it is called in tables and in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    /// For how long. Balancers that do not look at latency leave one that is slow to the ejection of outliers, which takes
    /// two windows of two seconds each, and what of a third is left; the others fail calls, which shows at once.
    pub(super) fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::Slow => 8,
            Self::Failing | Self::Gone => 3,
        })
    }
}

/// Which instance answered.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(super) struct Answer {
    #[prost(uint32, tag = "1")]
    instance: u32,
}

impl Answer {
    /// Whether it is from the instance that falls sick.
    pub(super) fn is_from_the_sick_one(&self) -> bool {
        self.instance == 0
    }
}

/// What is called.
#[rpc::service(package = "bench", codecs = [Prost])]
pub(super) trait Instance {
    /// Takes a while.
    async fn work(&self) -> Result<Answer>;
}

struct Member {
    instance: u32,
    health: Arc<Health>,
}

impl Instance for Member {
    async fn work(&self) -> Result<Answer> {
        match self.health.get() {
            Some(Fault::Failing) => return Err(Status::new(Code::Unavailable, "it is sick")),
            Some(Fault::Slow) => tokio::time::sleep(SLOW_WORK).await,
            Some(Fault::Gone) | None => tokio::time::sleep(WORK).await,
        }
        Ok(Answer {
            instance: self.instance,
        })
    }
}

/// What ails an instance: the place of its fault among all plus one, or 0.
#[derive(Default)]
struct Health(AtomicU8);

impl Health {
    fn get(&self) -> Option<Fault> {
        let place = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Fault::ALL.get(usize::from(place)).copied()
    }

    fn set(&self, fault: Option<Fault>) {
        let place = Fault::ALL.iter().position(|known| Some(*known) == fault);
        let place = place.map_or(0, |place| place as u8 + 1);
        self.0.store(place, Ordering::Relaxed);
    }
}

/// All servers. They end with the runtime that they were started in.
pub(super) struct Fleet {
    addresses: Vec<String>,
    health: Arc<Health>,
    /// The first server.
    sick: JoinHandle<()>,
}

impl Fleet {
    /// Starts them in the current runtime.
    pub(super) async fn start() -> Self {
        let health = Arc::new(Health::default());
        let (sick, address) = serve(0, "127.0.0.1:0", &health).await;
        let mut addresses = vec![address];
        for instance in 1..INSTANCES as u32 {
            let (_, address) = serve(instance, "127.0.0.1:0", &Arc::default()).await;
            addresses.push(address);
        }
        Self {
            addresses,
            health,
            sick,
        }
    }

    /// Where they are, for a client.
    pub(super) fn target(&self) -> String {
        format!("static://{}", self.addresses.join(","))
    }

    /// The first instance falls sick.
    pub(super) async fn fall_sick(&mut self, fault: Fault) {
        self.health.set(Some(fault));
        if fault == Fault::Gone {
            self.sick.abort();
            // It is gone once the task is.
            let _ = (&mut self.sick).await;
        }
    }

    /// It is well again.
    pub(super) async fn heal(&mut self) {
        self.health.set(None);
        if self.sick.is_finished() {
            (self.sick, _) = serve(0, &self.addresses[0], &self.health).await;
        }
    }
}

async fn serve(instance: u32, address: &str, health: &Arc<Health>) -> (JoinHandle<()>, String) {
    let member = Member {
        instance,
        health: Arc::clone(health),
    };
    let server = Server::builder()
        .add_service(InstanceServer::new(member))
        .without_signals()
        .build()
        .expect("a server");
    let bound = server.bind(address).await.expect("the port is free");
    let address = bound.local_addresses()[0].to_string();
    let serving = tokio::spawn(async move { bound.serve().await.expect("it serves until it is dropped") });
    (serving, address)
}

#[cfg(test)]
mod tests {
    use rpc::Client;

    use super::*;

    #[test]
    fn health_is_what_it_was_set_to() {
        let health = Health::default();
        for fault in Fault::ALL.map(Some).into_iter().chain([None]) {
            health.set(fault);
            assert_eq!(health.get(), fault);
        }
    }

    #[tokio::test]
    async fn each_fault_shows_and_heals() {
        let mut fleet = Fleet::start().await;
        let first = format!("static://{}", fleet.addresses[0]);
        let client = || Client::builder().target(first.clone()).build().expect("a client");
        for fault in [Fault::Failing, Fault::Gone] {
            fleet.fall_sick(fault).await;
            let error = InstanceClient::new(client()).work().await.unwrap_err();
            assert_eq!(error.code(), Code::Unavailable, "{fault:?}");
            fleet.heal().await;
            let answer = InstanceClient::new(client()).work().await.unwrap();
            assert!(answer.is_from_the_sick_one(), "{fault:?}");
        }
    }
}
