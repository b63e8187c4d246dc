//! Which keys tell of which instances: a deletion names nothing but the key.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use rpc_etcd::{Change, Entry};

use crate::{BadRecord, InstanceId, InstanceState, Record, Update, record::Directory, update::id_of};

/// What each key tells of, with the revision of its last change. Bad records count as well: what nobody tells of any more is
/// gone, whatever could be read of it last.
type Keys = HashMap<Bytes, (i64, Vec<InstanceId>)>;

/// Reads what etcd tells of keys, and says what that means for instances.
pub(super) struct Known {
    directory: Directory,
    keys: Keys,
    /// How many keys tell of an instance. Mostly one; a process that came back has two until its old lease ends. What was
    /// written last counts.
    count: HashMap<InstanceId, u32>,
    /// The key that counted is gone, and what the other one says is not known any more.
    unclear: bool,
}

/// A key as it was written, or deleted.
pub(super) struct Written {
    key: Bytes,
    value: Option<Bytes>,
    revision: i64,
}

impl Known {
    pub(super) fn new(directory: Directory) -> Self {
        Self {
            directory,
            keys: HashMap::new(),
            count: HashMap::new(),
            unclear: false,
        }
    }

    pub(super) fn prefix(&self) -> Bytes {
        Bytes::copy_from_slice(self.directory.prefix().as_bytes())
    }

    /// Everything, read anew.
    pub(super) fn list(&mut self, keys: impl IntoIterator<Item = impl Into<Written>>) -> Update {
        let before = std::mem::take(&mut self.keys);
        self.count.clear();
        self.unclear = false;
        let mut keys: Vec<Written> = keys.into_iter().map(Into::into).collect();
        // Of the same instance a later record wins.
        keys.sort_by_key(|written| written.revision);
        let mut records = Vec::with_capacity(keys.len());
        for Written { key, value, revision } in keys {
            let read = self.read(&key, &value.unwrap_or_default(), &before);
            self.put(&key, revision, &read);
            records.extend(read);
        }
        if records.is_empty() {
            Update::Absent
        } else {
            Update::Snapshot(records)
        }
    }

    /// What changes that came together mean; nothing if they concern nobody.
    pub(super) fn change(&mut self, changes: impl IntoIterator<Item = impl Into<Written>>) -> Vec<Update> {
        let mut updates = Vec::new();
        let mut put: Vec<Record> = Vec::new();
        let mut gone: Vec<InstanceId> = Vec::new();
        for written in changes {
            let Written { key, value, revision } = written.into();
            let left = if let Some(value) = value {
                let read = self.read(&key, &value, &self.keys);
                let left = self.put(&key, revision, &read);
                put.extend(read);
                left
            } else {
                self.remove(&key)
            };
            let has_left = |record: &Record| left.contains(id_of(record));
            let is_marked = |record: &Record| {
                record
                    .as_ref()
                    .is_ok_and(|instance| instance.state != InstanceState::Up)
            };
            // What was written before it went is not there any more.
            put.retain(|record| is_marked(record) || !has_left(record));
            // But that it was marked before is told first: by that it is known that it was taken out, and did not vanish.
            if put.iter().any(has_left) {
                let (put, gone) = (std::mem::take(&mut put), std::mem::take(&mut gone));
                updates.push(Update::Delta { put, gone });
            }
            gone.extend(left);
        }
        if !put.is_empty() || !gone.is_empty() {
            updates.push(Update::Delta { put, gone });
        }
        updates
    }

    /// True if everything has to be read anew, as what is known does not say which record is in force.
    pub(super) fn is_unclear(&self) -> bool {
        self.unclear
    }

    /// The keys that have not changed for the longest and for the shortest time, and when they did.
    pub(super) fn witnesses(&self) -> Vec<(Bytes, i64)> {
        let changes = || self.keys.iter().map(|(key, (revision, _))| (key, *revision));
        let eldest = changes().min_by_key(|(_, revision)| *revision);
        let youngest = changes().max_by_key(|(_, revision)| *revision);
        let youngest = youngest.filter(|youngest| eldest.is_none_or(|eldest| eldest.0 != youngest.0));
        let witnesses = eldest.into_iter().chain(youngest);
        witnesses.map(|(key, revision)| (key.clone(), revision)).collect()
    }

    /// What a key says. One that cannot be read takes nothing away: it is a bad record of those that it told of before, whose
    /// last good ones stay in force, however it would be called by itself.
    fn read(&self, key: &Bytes, value: &[u8], before: &Keys) -> Vec<Record> {
        let mut records = self.directory.read(key, value);
        let Some((_, ids)) = before.get(key).filter(|(_, ids)| !ids.is_empty()) else {
            return records;
        };
        let Some(Err(BadRecord { fault, .. })) =
            records.first().filter(|_| records.iter().all(Result::is_err))
        else {
            return records;
        };
        let fault = fault.clone();
        records.retain(|record| ids.contains(id_of(record)));
        for id in ids {
            if !records.iter().any(|record| id_of(record) == id) {
                records.push(Err(BadRecord::new(id.clone(), fault.clone())));
            }
        }
        records
    }

    /// A key was written. Says which instances nobody tells of any more.
    fn put(&mut self, key: &Bytes, revision: i64, records: &[Record]) -> Vec<InstanceId> {
        let mut new: Vec<InstanceId> = records.iter().map(|record| id_of(record).clone()).collect();
        let (known_at, ids) = self.keys.entry(key.clone()).or_default();
        let last_at = std::mem::replace(known_at, revision);
        new.sort_unstable();
        new.dedup();
        for id in new.iter().filter(|id| !ids.contains(id)) {
            *self.count.entry(id.clone()).or_default() += 1;
        }
        let mut left = std::mem::replace(ids, new);
        left.retain(|id| !ids.contains(id));
        self.release(left, last_at)
    }

    /// A key was deleted. Says which instances nobody tells of any more.
    fn remove(&mut self, key: &Bytes) -> Vec<InstanceId> {
        let (last_at, old) = self.keys.remove(key).unwrap_or_default();
        self.release(old, last_at)
    }

    /// A key that was last changed at a revision tells of these no longer.
    fn release(&mut self, ids: Vec<InstanceId>, last_at: i64) -> Vec<InstanceId> {
        let mut gone = Vec::new();
        for id in ids {
            if let Some(count) = self.count.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    self.count.remove(&id);
                    gone.push(id);
                } else {
                    let others = self.keys.values().filter(|(_, ids)| ids.contains(&id));
                    self.unclear |= !others.map(|(at, _)| *at).any(|at| at > last_at);
                }
            }
        }
        gone
    }
}

impl From<Entry> for Written {
    fn from(entry: Entry) -> Self {
        Self {
            key: entry.key,
            value: Some(entry.value),
            revision: entry.revision,
        }
    }
}

impl From<Change> for Written {
    fn from(change: Change) -> Self {
        Self {
            key: change.key,
            value: change.value,
            revision: change.revision,
        }
    }
}
