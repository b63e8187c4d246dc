//! Instances in etcd.
//!
//! An instance is a key on a lease of its own: it goes when the lease is revoked or is no longer renewed. Clients read all
//! keys below the service's prefix once, and watch from that revision on. In which form the records are is the
//! [`Layout`](crate::record::Layout)'s affair; the form of Kratos is the usual one.
//!
//! The client of etcd is the crate `rpc-etcd`, which stands below this one.
//!
//! # What is done about
//! | event | what happens |
//! | --- | --- |
//! | etcd restarts, or the connection breaks | the watch fails once and goes on from its revision: nothing is missed |
//! | history is compacted below a watch | the watch says *behind* and begins with a snapshot |
//! | etcd is set up anew, or from a backup | cluster or revision tell, or else *witnesses* do: the keys that have not changed for the longest and for the shortest time must be as they were at that revision, or all are read again. If only deletions are missing, nobody can tell |
//! | etcd stops answering, or a member is cut off | the watch asks, gets no answer, and fails |
//! | a lease ends behind our back | the next renewal says *lost* |
//! | a record is deleted or overwritten | `verify` says *lost*, or what was found; what hangs on another lease is not amended |
//! | the same id is announced on another lease | `verify` says *superseded* if that one started later, or if neither is the later one and its lease is the higher; else *lost* |
//!
//! # Limits
//! etcd does not tell an expired lease from a revoked one, so a crash and a withdrawal look alike to a watch; the mark
//! `draining`, which is written before a withdrawal, is what tells them apart; where both come together, the mark is told
//! first. Records are at most 128 KiB, a service has at most 200 000 keys.

mod announced;
mod known;
mod scheme;
mod watch;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use rpc_core::Status;
use rpc_etcd::{Etcd, Meaning, meaning};

use self::{announced::Announced, watch::EtcdWatch};
use crate::{
    Amendment, Fault, FaultKind, Instance, InstanceId, Registration, Registry, Resolver, Watch,
    record::{Directory, Layout},
};

pub use self::scheme::EtcdScheme;

/// Announces instances in etcd. Cheap to clone.
///
/// ```no_run
/// use rpc_registry::{EtcdRegistry, etcd::{Etcd, EtcdConfig}, record::Layout};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let etcd = Etcd::new(EtcdConfig::new(["10.0.0.1:2379".parse()?]))?;
/// let registry = EtcdRegistry::new(etcd).with_layout(Layout::GoMicro);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EtcdRegistry {
    etcd: Etcd,
    layout: Layout,
    namespace: Option<String>,
    ttl: Duration,
}

impl EtcdRegistry {
    /// How long an instance that is not renewed stays, unless something else is said.
    pub const DEFAULT_TTL: Duration = Duration::from_secs(15);

    /// In the form of Kratos, on leases of 15 s.
    pub fn new(etcd: Etcd) -> Self {
        Self {
            etcd,
            layout: Layout::default(),
            namespace: None,
            ttl: Self::DEFAULT_TTL,
        }
    }

    /// Writes and reads another form of records.
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets what stands before a service's name in a key, in place of the layout's own: `/prod/microservices`.
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Sets how long an instance that is not renewed stays. etcd has a minimum of its own, mostly 2 s.
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// A resolver of a name.
    ///
    /// # Errors
    /// If the name cannot be part of a key.
    pub fn resolver_of(&self, name: &str) -> Result<EtcdResolver, Fault> {
        Ok(EtcdResolver {
            etcd: self.etcd.clone(),
            directory: self.directory(name)?,
        })
    }

    fn directory(&self, name: &str) -> Result<Directory, Fault> {
        Directory::new(self.layout, self.namespace.as_deref(), name)
    }
}

#[async_trait]
impl Registry for EtcdRegistry {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        let directory = self.directory(name)?;
        let announced = Announced::announce(&self.etcd, directory, instance, self.ttl).await?;
        Ok(Box::new(announced))
    }

    async fn amend(&self, name: &str, id: &InstanceId, amendment: &Amendment) -> Result<(), Fault> {
        let directory = self.directory(name)?;
        let listing = self
            .etcd
            .list(directory.prefix().to_owned())
            .await
            .map_err(fault)?;
        let unknown = || Fault::lost(format!("there is no instance `{id}` of `{name}`"));
        let found = listing.entries.into_iter().filter_map(|entry| {
            let mut records = directory.read(&entry.key, &entry.value);
            let index = records
                .iter()
                .position(|record| record.as_ref().is_ok_and(|instance| instance.id == *id))?;
            let alone = records.len() == 1;
            Some((entry, records.swap_remove(index).ok()?, alone))
        });
        // Of several keys the one that was written last is in force.
        let last = found.max_by_key(|(entry, _, _)| entry.revision);
        let (entry, mut instance, alone) = last.ok_or_else(unknown)?;
        amendment.check_and_apply_as_operator(&mut instance)?;
        let record = directory.write(&instance)?;
        let (Some(record), true) = (record, alone && directory.layout() != Layout::GoZero) else {
            let layout = directory.layout();
            let problem = format!("records of `{layout}` cannot say what is asked for");
            return Err(Fault::invalid("layout", problem));
        };
        let replaced = self.etcd.replace(&entry, record).await.map_err(fault)?;
        let raced = || Fault::transient(format!("`{id}` was changed by somebody else at the same time"));
        replaced.then_some(()).ok_or_else(raced)
    }
}

impl fmt::Debug for EtcdRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdRegistry")
            .field("etcd", &self.etcd)
            .field("layout", &self.layout)
            .field("namespace", &self.namespace)
            .field("ttl", &self.ttl)
            .finish()
    }
}

/// Learns the instances of one name from etcd.
#[derive(Debug, Clone)]
pub struct EtcdResolver {
    etcd: Etcd,
    directory: Directory,
}

impl Resolver for EtcdResolver {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(EtcdWatch::new(self.etcd.clone(), self.directory.clone()))
    }
}

fn fault(status: Status) -> Fault {
    let kind = match meaning(&status) {
        Meaning::Lost => FaultKind::Lost,
        Meaning::Behind => FaultKind::Behind,
        Meaning::Denied => FaultKind::Denied,
        Meaning::Invalid => FaultKind::Invalid,
        _ => FaultKind::Transient,
    };
    Fault::new(kind, status.to_string()).with_source(status)
}
