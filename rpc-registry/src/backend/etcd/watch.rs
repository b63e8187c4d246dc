//! What etcd tells of one service.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use rpc_etcd::{Change, Entry, Etcd, Listing, Position, Watcher};

use super::fault;
use crate::{Fault, FaultKind, InstanceId, Record, Update, Watch, record::Directory};

pub(super) struct EtcdWatch {
    etcd: Etcd,
    directory: Directory,
    /// Up to where everything was told; `None` before the first list, and when it has to begin anew.
    position: Option<Position>,
    watcher: Option<Watcher>,
    /// Nothing was asked since the list: there is no other history to go on in.
    fresh: bool,
    /// The key that changed last, and when. If it is as it was, so is the history that it is of.
    witness: Option<(Bytes, i64)>,
    known: Known,
}

/// Which keys tell of which instances: a deletion names nothing but the key.
#[derive(Default)]
struct Known {
    keys: HashMap<Bytes, Vec<InstanceId>>,
    /// How many keys tell of an instance. Mostly one; a process that came back has two until its old lease ends.
    count: HashMap<InstanceId, u32>,
}

impl EtcdWatch {
    pub(super) fn new(etcd: Etcd, directory: Directory) -> Self {
        Self {
            etcd,
            directory,
            position: None,
            watcher: None,
            fresh: false,
            witness: None,
            known: Known::default(),
        }
    }

    fn prefix(&self) -> Bytes {
        Bytes::copy_from_slice(self.directory.prefix().as_bytes())
    }

    /// Everything, read anew.
    async fn list(&mut self) -> Result<Update, Fault> {
        let Listing {
            entries, position, ..
        } = self.etcd.list(self.prefix()).await.map_err(fault)?;
        self.known = Known::default();
        self.witness = None;
        let mut records = Vec::with_capacity(entries.len());
        for Entry {
            key, value, revision, ..
        } in entries
        {
            let read = self.directory.read(&key, &value);
            self.known.put(&key, &read);
            records.extend(read);
            if self.witness.as_ref().is_none_or(|(_, latest)| *latest < revision) {
                self.witness = Some((key, revision));
            }
        }
        self.position = Some(position);
        self.fresh = true;
        Ok(if records.is_empty() {
            Update::Absent
        } else {
            Update::Snapshot(records)
        })
    }

    /// Goes on from where it stood, if that still is part of etcd's history.
    async fn resume(&mut self, position: Position) -> Result<(), Fault> {
        let same = match &self.witness {
            _ if std::mem::take(&mut self.fresh) => true,
            Some((key, revision)) => {
                let entry = self.etcd.get(key.clone()).await.map_err(fault)?;
                entry.is_some_and(|entry| entry.revision == *revision)
            }
            None => false,
        };
        if !same {
            self.position = None;
            return Ok(());
        }
        match self.etcd.watch(self.prefix(), position).await {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                Ok(())
            }
            Err(status) => Err(self.failed(fault(status))),
        }
    }

    fn failed(&mut self, fault: Fault) -> Fault {
        if fault.kind() == FaultKind::Behind {
            self.position = None;
        }
        fault
    }

    /// `None` if nothing that concerns anybody.
    fn delta(&mut self, changes: Vec<Change>) -> Option<Update> {
        let mut put: Vec<Record> = Vec::new();
        let mut gone: Vec<InstanceId> = Vec::new();
        for Change {
            key, value, revision, ..
        } in changes
        {
            let left = if let Some(value) = value {
                let read = self.directory.read(&key, &value);
                let left = self.known.put(&key, &read);
                put.extend(read);
                self.witness = Some((key, revision));
                left
            } else {
                self.witness.take_if(|(witness, _)| *witness == key);
                self.known.remove(&key)
            };
            // What was written before it went is not there any more.
            put.retain(|record| !record.as_ref().is_ok_and(|instance| left.contains(&instance.id)));
            gone.extend(left);
        }
        (!put.is_empty() || !gone.is_empty()).then_some(Update::Delta { put, gone })
    }
}

#[async_trait]
impl Watch for EtcdWatch {
    async fn next(&mut self) -> Result<Update, Fault> {
        loop {
            if let Some(watcher) = &mut self.watcher {
                match watcher.next().await {
                    Ok(changes) => {
                        self.position = Some(changes.position);
                        if let Some(update) = self.delta(changes.changes) {
                            return Ok(update);
                        }
                    }
                    Err(status) => {
                        // It may be further than the last change: etcd told of its progress.
                        self.position = Some(watcher.position());
                        self.watcher = None;
                        return Err(self.failed(fault(status)));
                    }
                }
            } else if let Some(position) = self.position {
                self.resume(position).await?;
            } else {
                return self.list().await;
            }
        }
    }
}

impl Known {
    /// A key was written. Says which instances nobody tells of any more.
    fn put(&mut self, key: &Bytes, records: &[Record]) -> Vec<InstanceId> {
        let good = records.iter().flatten();
        let new: Vec<InstanceId> = good.map(|instance| instance.id.clone()).collect();
        // A record that cannot be read takes nothing away: the last good one stays in force.
        if new.is_empty() && records.iter().any(Result::is_err) {
            return Vec::new();
        }
        for id in &new {
            *self.count.entry(id.clone()).or_default() += 1;
        }
        let old = self.keys.insert(key.clone(), new);
        self.release(old.unwrap_or_default())
    }

    /// A key was deleted. Says which instances nobody tells of any more.
    fn remove(&mut self, key: &Bytes) -> Vec<InstanceId> {
        let old = self.keys.remove(key);
        self.release(old.unwrap_or_default())
    }

    fn release(&mut self, ids: Vec<InstanceId>) -> Vec<InstanceId> {
        let mut gone = Vec::new();
        for id in ids {
            if let Some(count) = self.count.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    self.count.remove(&id);
                    gone.push(id);
                }
            }
        }
        gone
    }
}
