//! The server's records in registries.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rpc_core::net::Address;
use rpc_registry::{Instance, InstanceState, Registration, Registry};
use tokio::task::JoinSet;

use super::ServeError;

/// A registry gets so long to take a record out.
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(3);

/// Under which name a server is announced, and where.
#[derive(Clone)]
pub(super) struct Announcement {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) name: String,
}

/// What is announced: the instance, and the registrations of it.
pub(super) struct Announced {
    instance: Instance,
    registrations: Vec<(String, Box<dyn Registration>)>,
}

/// Fills in what the user did not say: the addresses, and when it began.
///
/// # Errors
/// If the addresses that the server listens on are not ones that others can call.
pub(super) fn complete(
    instance: Option<Instance>,
    protocols: &[&'static str],
    listening: &[Address],
) -> Result<Instance, ServeError> {
    let mut instance = instance.unwrap_or_else(|| Instance::new(random_id()));
    if instance.addresses.is_empty() {
        for address in listening {
            if let Address::Socket(socket) = address
                && socket.ip().is_unspecified()
            {
                let text = format!(
                    "cannot announce {address}: nobody else can call it; say which address others shall call with \
                     `.instance(Instance::new(\"...\").with_address(\"grpc\", ...))`"
                );
                return Err(ServeError::announce(text, None));
            }
            for protocol in protocols {
                instance = instance.with_address(*protocol, address.clone());
            }
        }
    }
    if instance.started_at.is_none() {
        instance = instance.with_started_at(SystemTime::now());
    }
    Ok(instance)
}

/// Announces an instance everywhere, or nowhere.
pub(super) async fn announce(to: &[Announcement], instance: Instance) -> Result<Announced, ServeError> {
    let mut registrations = Vec::with_capacity(to.len());
    for Announcement { registry, name } in to {
        match registry.announce(name, &instance).await {
            Ok(registration) => registrations.push((name.clone(), registration)),
            Err(fault) => {
                let text = format!("cannot announce the server as `{name}`: {fault}");
                return Err(ServeError::announce(text, Some(fault.into())));
            }
        }
    }
    Ok(Announced {
        instance,
        registrations,
    })
}

impl Announced {
    /// Marks the records as draining, then takes them out, in all registries at the same time: one that does not answer
    /// holds up none of the others. Dropping the set gives up what is not done.
    pub(super) fn withdraw(self) -> JoinSet<()> {
        let draining = self.instance.with_state(InstanceState::Draining);
        let mut withdrawals = JoinSet::new();
        for (name, registration) in self.registrations {
            withdrawals.spawn(withdraw(name, registration, draining.clone()));
        }
        withdrawals
    }
}

async fn withdraw(name: String, mut registration: Box<dyn Registration>, draining: Instance) {
    let gone = tokio::time::timeout(WITHDRAW_TIMEOUT, async {
        // It is taken out right away: that the mark was not taken matters to nobody.
        let _ = registration.amend(&draining).await;
        registration.withdraw().await
    });
    match gone.await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::warn!(name, %fault, "the record could not be taken out of the registry"),
        Err(_) => tracing::warn!(name, "the registry did not take the record out in time"),
    }
}

fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
