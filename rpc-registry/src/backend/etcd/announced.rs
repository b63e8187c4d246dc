//! An announced instance: its key, and the lease under it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rpc_etcd::Etcd;
use tokio::runtime::Handle;

use super::fault;
use crate::{Fault, Instance, Registration, record::Directory};

pub(super) struct Announced {
    etcd: Etcd,
    directory: Directory,
    key: Bytes,
    lease: i64,
    /// As etcd granted or renewed it last.
    ttl: Duration,
    /// What was written last.
    instance: Instance,
    /// As it was written; `None` where the layout has no word for it, and so no record.
    record: Option<Bytes>,
}

impl Announced {
    pub(super) async fn announce(
        etcd: &Etcd,
        directory: Directory,
        instance: &Instance,
        ttl: Duration,
    ) -> Result<Self, Fault> {
        // Before anything is sent: what cannot be written shall leave no lease behind.
        let record = directory.write(instance)?.map(Bytes::from);
        directory.key(instance, 1)?;
        let granted = etcd.grant(ttl).await.map_err(fault)?;
        let mut unused = Unused {
            etcd,
            lease: Some(granted.id),
        };
        let key = Bytes::from(directory.key(instance, granted.id)?);
        if let Some(record) = &record {
            let put = etcd.put(key.clone(), record.clone(), Some(granted.id));
            put.await.map_err(fault)?;
        }
        unused.lease = None;
        Ok(Self {
            etcd: etcd.clone(),
            directory,
            key,
            lease: granted.id,
            ttl: granted.ttl,
            instance: instance.clone(),
            record,
        })
    }
}

/// A lease on which nothing is announced for certain. It is revoked where that fails, or is given up: the record may be there,
/// and nobody else knows of the lease.
struct Unused<'a> {
    etcd: &'a Etcd,
    lease: Option<i64>,
}

impl Drop for Unused<'_> {
    fn drop(&mut self) {
        if let (Some(lease), Ok(runtime)) = (self.lease, Handle::try_current()) {
            let etcd = self.etcd.clone();
            // Where that fails as well, it ends by itself.
            runtime.spawn(async move { etcd.revoke(lease).await });
        }
    }
}

#[async_trait]
impl Registration for Announced {
    fn lease(&self) -> Option<Duration> {
        Some(self.ttl)
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        self.ttl = self.etcd.keep_alive(self.lease).await.map_err(fault)?;
        Ok(())
    }

    async fn verify(&mut self) -> Result<Option<Instance>, Fault> {
        let Some(written) = &self.record else {
            return Ok(None);
        };
        let entry = self.etcd.get(self.key.clone()).await.map_err(fault)?;
        let entry = entry.ok_or_else(|| Fault::lost("the record is not there any more"))?;
        let mut records = self.directory.read(&entry.key, &entry.value).into_iter();
        let found = records.find_map(|record| record.ok().filter(|found| found.id == self.instance.id));
        if entry.lease != Some(self.lease) {
            if entry.value == *written && self.instance.started_at.is_some() {
                return Err(Fault::lost(
                    "the record hangs on another lease, of an announcement of ours whose answer was lost",
                ));
            }
            // Of two that started at the same time, or do not say when, one has to give way.
            let theirs = found.map(|found| (found.started_at_ms(), entry.lease));
            return Err(
                if theirs > Some((self.instance.started_at_ms(), Some(self.lease))) {
                    Fault::superseded(
                        "the record hangs on another lease: it is of somebody who started later",
                    )
                } else {
                    Fault::lost("the record hangs on another lease: it is somebody else's")
                },
            );
        }
        // A layout may say less than was announced: then the same bytes mean the same instance.
        if entry.value == *written {
            return Ok(Some(self.instance.clone()));
        }
        found
            .map(Some)
            .ok_or_else(|| Fault::lost("the record was overwritten with something else"))
    }

    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault> {
        if instance.id != self.instance.id {
            let (old, new) = (&self.instance.id, &instance.id);
            let problem = format!("`{old}` was announced and cannot become `{new}`");
            return Err(Fault::invalid("id", problem));
        }
        // Another one where the layout has the address in it, and that has changed.
        let key = Bytes::from(self.directory.key(instance, self.lease)?);
        let record = self.directory.write(instance)?.map(Bytes::from);
        match (&self.record, &record) {
            (Some(_), Some(record)) => {
                let (old, new, record) = (self.key.clone(), key.clone(), record.clone());
                let written = if old == new {
                    self.etcd.rewrite(old, record, self.lease).await
                } else {
                    self.etcd.rename(old, new, record, self.lease).await
                };
                if !written.map_err(fault)? {
                    return Err(Fault::lost(
                        "the record is not there any more, or hangs on another lease",
                    ));
                }
            }
            (None, Some(record)) => {
                let put = self.etcd.put(key.clone(), record.clone(), Some(self.lease));
                put.await.map_err(fault)?;
            }
            (_, None) => drop(self.etcd.delete(self.key.clone()).await.map_err(fault)?),
        }
        self.key = key;
        self.instance = instance.clone();
        self.record = record;
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        self.etcd.revoke(self.lease).await.map_err(fault)
    }
}
