//! What etcd tells of one service.

use std::collections::VecDeque;

use async_trait::async_trait;
use rpc_etcd::{Etcd, Listing, Position, Watcher};

use super::{fault, known::Known};
use crate::{Fault, FaultKind, Update, Watch, record::Directory};

pub(super) struct EtcdWatch {
    etcd: Etcd,
    known: Known,
    /// What is still to be told of the changes up to the position.
    untold: VecDeque<Update>,
    /// Up to where everything was told; `None` before the first list, and when it has to begin anew.
    position: Option<Position>,
    watcher: Option<Watcher>,
    /// The list was read a moment ago.
    fresh: bool,
    /// A fault was told, and nothing since.
    faulty: bool,
}

impl EtcdWatch {
    pub(super) fn new(etcd: Etcd, directory: Directory) -> Self {
        Self {
            etcd,
            known: Known::new(directory),
            untold: VecDeque::new(),
            position: None,
            watcher: None,
            fresh: false,
            faulty: false,
        }
    }

    /// Everything, read anew.
    async fn list(&mut self) -> Result<Update, Fault> {
        let Listing {
            entries, position, ..
        } = self.etcd.list(self.known.prefix()).await.map_err(fault)?;
        self.position = Some(position);
        self.fresh = true;
        Ok(self.known.list(entries))
    }

    /// Goes on from where it stood, if that still is part of etcd's history.
    ///
    /// An etcd that was set up anew on the same ports is the same cluster by its number, and may have got beyond our
    /// revision: a watch from there would miss everything before, and never know. So keys are looked at as they were at our
    /// position, whatever has become of them since. The one that has not changed for the longest time tells that everything is
    /// new; the one that has changed last, and so is the least likely to be in a backup, tells of those. If either was not what
    /// we know, everything is read anew. A backup that lacks nothing but deletions is not noticed.
    async fn resume(&mut self, position: Position) -> Result<(), Fault> {
        let fresh = std::mem::take(&mut self.fresh);
        let watcher = match self.etcd.watch(self.known.prefix(), position).await {
            Ok(watcher) => watcher,
            Err(status) => return Err(self.failed(fault(status))),
        };
        let witnesses = self.known.witnesses();
        // Nothing is known: then a list is cheap, unless it has just been read.
        let mut same = fresh || !witnesses.is_empty();
        for (key, revision) in witnesses {
            let entry = match self.etcd.get_at(key, position).await {
                Ok(entry) => entry,
                Err(status) => return Err(self.failed(fault(status))),
            };
            same &= entry.is_some_and(|entry| entry.revision == revision);
        }
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
}

#[async_trait]
impl Watch for EtcdWatch {
    async fn next(&mut self) -> Result<Update, Fault> {
        loop {
            if let Some(update) = self.untold.pop_front() {
                return Ok(update);
            }
            if let Some(watcher) = &mut self.watcher {
                match watcher.next().await {
                    Ok(changes) => {
                        self.position = Some(changes.position);
                        self.untold = self.known.change(changes.changes).into();
                        if self.known.is_unclear() {
                            self.position = None;
                            self.watcher = None;
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
