//! Where providers announce themselves.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Fault, Instance};

/// Where providers announce instances.
///
/// An implementation does I/O and translation only. It does not try again, and it does not wait longer than one exchange
/// with the registry takes.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Announces an instance under a service's name. The same id twice is the same instance, amended.
    ///
    /// # Errors
    /// [`Fault`], when the registry did not confirm it. It may be there all the same.
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault>;

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
#[async_trait]
pub trait Registration: Send + Sync + 'static {
    /// Changes what was announced: weight, lane, metadata, state. The id stays.
    ///
    /// # Errors
    /// [`Fault`]; [`FaultKind::Lost`](crate::FaultKind::Lost) asks to announce again.
    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault>;

    /// Takes the instance out. One that is gone already was taken out well.
    ///
    /// # Errors
    /// [`Fault`], when the registry did not confirm it.
    async fn withdraw(self: Box<Self>) -> Result<(), Fault>;
}

const _: fn(&dyn Registry, &dyn Registration) = |_, _| {};
