//! Where providers announce themselves.
//!
//! # Who does what
//! An adapter implements [`Registry`] and [`Registration`]: each method is one exchange with the registry, and says how it
//! went. *When* they are called (a first announcement once the instance is healthy, renewals, another announcement after a
//! lost lease, the mark before the withdrawal, pauses after faults) is the same for all registries and is done once, by
//! [`announce`](crate::announce).
//!
//! # How registries fit
//! | registry | `announce` | `lease`, `renew` | `verify` | `lost` | `amend` | `withdraw` |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | etcd | grant a lease, put the record under it | the granted time; one keep-alive, an answer of 0 is *lost* | get the key; one on another lease that started later is *superseded* | – | put if it hangs on the lease; a key that changes is put and the old one deleted in one transaction | revoke the lease |
//! | Consul | register at the agent, with a TTL check, and pass it | the check's TTL; pass the check, an error is *lost* | read the service of the agent | – | register again, which replaces | deregister; before, maintenance mode is the mark |
//! | Nacos, gRPC | `InstanceRequest` on the connection, which is the lease | none: the connection's own probes | query the service | the connection has ended | register again | deregister |
//! | Nacos, HTTP | register | 15 s; a beat, code 20404 is *lost* | list and look | – | update | deregister |
//! | ZooKeeper | create an ephemeral node | none: the session renews itself | get the node, compare its owner | the session has expired | set the node's data | delete the node |
//! | Kubernetes | nothing to write: being ready is the announcement; an adapter patches annotations of its own pod | none | – | – | patch the annotations | readiness off |
//! | Bilibili Discovery | register at any node | 90 s; renew, -404 is *lost* | fetch | – | set | cancel |
//! | xDS | none: instances come from the control plane, so there is a resolver only | | | | | |

use std::time::Duration;

use async_trait::async_trait;

use crate::{Amendment, Fault, FaultKind, Instance, InstanceId};

/// Where providers announce instances.
///
/// An implementation does I/O and translation only. It does not try again, and it does not wait longer than one exchange
/// with the registry takes; whoever calls it bounds even that.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Announces an instance under a service's name. The same id twice is the same instance, overwritten.
    ///
    /// # Errors
    /// [`Fault`], when the registry did not confirm it. It may be there all the same.
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault>;

    /// Changes the record of an instance that somebody else announced, under the lease that it has: what an operator does
    /// to an instance from outside. Whoever announced it heeds that as [`Instance::OPERATOR`] describes.
    ///
    /// # Errors
    /// [`FaultKind::Lost`] if there is no such instance. [`FaultKind::Invalid`] if it would be one that clients
    /// [refuse](Instance::check), if the amendment says what is not [written](Instance::check_written), and where a registry
    /// cannot do that, which is the default.
    async fn amend(&self, name: &str, id: &InstanceId, amendment: &Amendment) -> Result<(), Fault> {
        let _ = (name, id, amendment);
        let text = "instances of this registry cannot be amended from outside";
        Err(Fault::new(FaultKind::Invalid, text))
    }

    /// How long it takes, at most, until clients that watch have seen a change: how long a server that stops goes on
    /// serving after it has withdrawn.
    ///
    /// Default: 3 seconds, which is right where the registry pushes. Where clients poll it is two periods of that.
    fn notice(&self) -> Duration {
        Duration::from_secs(3)
    }
}

/// An announced instance.
///
/// Dropping it without [`withdraw`](Self::withdraw) gives the instance up as a crash would: a registry with leases
/// forgets it when the lease ends, the embedded one at once.
///
/// # Cancellation
/// The future of each method may be dropped at any point: when it takes too long, or when the instance is to be withdrawn. A
/// method is called again then, the same or another one, or the registration is dropped.
#[async_trait]
pub trait Registration: Send + 'static {
    /// How long the registry keeps the instance without a renewal, as it said last. `None`, the default, where nothing has
    /// to be renewed.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// [`Fault`]; [`FaultKind::Lost`] if the registry does not know it any more, which asks to announce again.
    async fn renew(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Reads the record back. Registries lose what they confirmed (restored backups, half-crashed nodes), and renewals of
    /// a lease do not show that its record is gone. Asked once more before an instance that was lost is announced again, for
    /// whether it is somebody else's by now.
    ///
    /// `None`, the default, if it is there as it was written, or cannot be asked; else what it says instead, so that
    /// whoever announced it takes an operator's change on and puts anything else right.
    ///
    /// # Errors
    /// [`FaultKind::Lost`] if it is not there, or is somebody else's; [`FaultKind::Superseded`] if it is somebody else's whose
    /// [`started_at`](Instance::started_at) is later: nothing is announced then until the record is gone.
    async fn verify(&mut self) -> Result<Option<Instance>, Fault> {
        Ok(None)
    }

    /// Waits until it is known, without being asked for, that the registry has given the instance up: a session has
    /// expired, a connection that was the lease is gone. Waits for ever, the default, where only asking tells.
    async fn lost(&mut self) -> Fault {
        std::future::pending().await
    }

    /// Changes what was announced: weight, lane, groups, metadata, state. The id stays.
    ///
    /// # Errors
    /// [`Fault`]; [`FaultKind::Lost`], if it is gone or is somebody else's, asks to announce again, which
    /// is done once [`verify`](Self::verify) has not said that somebody started later.
    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault>;

    /// Takes the instance out. One that is gone already was taken out well; so was one that somebody else has announced under
    /// the same id since, whose record stays.
    ///
    /// # Errors
    /// [`Fault`], when the registry did not confirm it; it may be called again.
    async fn withdraw(&mut self) -> Result<(), Fault>;
}

const _: fn(&dyn Registry, &dyn Registration) = |_, _| {};
