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
    /// The list was read a moment ago.
    fresh: bool,
    /// A fault was told, and nothing since.
    faulty: bool,
    known: Known,
}

/// Which keys tell of which instances: a deletion names nothing but the key.
#[derive(Default)]
struct Known {
    /// With the revision of its last change.
    keys: HashMap<Bytes, (i64, Vec<InstanceId>)>,
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
            faulty: false,
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
        let mut records = Vec::with_capacity(entries.len());
        for Entry {
            key, value, revision, ..
        } in entries
        {
            let read = self.directory.read(&key, &value);
            self.known.put(&key, revision, &read);
            records.extend(read);
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
    ///
    /// An etcd that was set up anew on the same ports is the same cluster by its number, and may have got beyond our
    /// revision: a watch from there would miss everything before, and never know. So a key is looked at that must not have
    /// changed meanwhile: the one that has not for the longest time. If it has, however honestly, everything is read anew.
    async fn resume(&mut self, position: Position) -> Result<(), Fault> {
        let fresh = std::mem::take(&mut self.fresh);
        let watcher = match self.etcd.watch(self.prefix(), position).await {
            Ok(watcher) => watcher,
            Err(status) => return Err(self.failed(fault(status))),
        };
        let same = match self.known.witness() {
            Some((key, revision)) => {
                let entry = self.etcd.get(key).await.map_err(fault)?;
                entry.is_some_and(|entry| entry.revision == revision)
            }
            // Nothing is known: then a list is cheap, unless it has just been read.
            None => fresh,
        };
        if same {
            self.watcher = Some(watcher);
        } else {
            self.position = None;
        }
        Ok(())
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
                let left = self.known.put(&key, revision, &read);
                put.extend(read);
                left
            } else {
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
                        self.faulty = true;
                        return Err(self.failed(fault(status)));
                    }
                }
            } else if let Some(position) = self.position {
                if let Err(fault) = self.resume(position).await {
                    self.faulty = true;
                    return Err(fault);
                }
                if self.watcher.is_some() && std::mem::take(&mut self.faulty) {
                    // Nothing may change for hours; that etcd is back is told now.
                    let (put, gone) = (Vec::new(), Vec::new());
                    return Ok(Update::Delta { put, gone });
                }
            } else {
                let list = self.list().await;
                self.faulty = list.is_err();
                return list;
            }
        }
    }
}

impl Known {
    /// A key was written. Says which instances nobody tells of any more.
    fn put(&mut self, key: &Bytes, revision: i64, records: &[Record]) -> Vec<InstanceId> {
        let good = records.iter().flatten();
        let new: Vec<InstanceId> = good.map(|instance| instance.id.clone()).collect();
        let (known_at, ids) = self.keys.entry(key.clone()).or_default();
        *known_at = revision;
        // A record that cannot be read takes nothing away: the last good one stays in force.
        if new.is_empty() && records.iter().any(Result::is_err) {
            return Vec::new();
        }
        for id in &new {
            *self.count.entry(id.clone()).or_default() += 1;
        }
        let old = std::mem::replace(ids, new);
        self.release(old)
    }

    /// A key was deleted. Says which instances nobody tells of any more.
    fn remove(&mut self, key: &Bytes) -> Vec<InstanceId> {
        let (_, old) = self.keys.remove(key).unwrap_or_default();
        self.release(old)
    }

    /// The key that has not changed for the longest time, and when it did.
    fn witness(&self) -> Option<(Bytes, i64)> {
        let (key, (revision, _)) = self.keys.iter().min_by_key(|(_, (revision, _))| *revision)?;
        Some((key.clone(), *revision))
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
