//! Looking at the file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use super::document::Document;
use crate::{Fault, FaultKind, Resolver, Update, Watch};

const PERIOD: Duration = Duration::from_millis(500);

pub(super) struct FileResolver {
    pub(super) path: PathBuf,
    pub(super) name: String,
}

impl Resolver for FileResolver {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Looking {
            path: self.path.as_path().into(),
            name: self.name.clone(),
            next_at: None,
            print: None,
            failed: false,
        })
    }

    fn is_deliberate(&self) -> bool {
        true
    }
}

struct Looking {
    path: Arc<Path>,
    name: String,
    next_at: Option<Instant>,
    /// What the file looked like when it was read, whatever sense it made. `None` while it cannot be read.
    print: Option<Print>,
    /// It was told as stale.
    failed: bool,
}

/// By what a changed file is known.
#[derive(Debug, PartialEq, Eq)]
struct Print {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Print {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: inode(&metadata),
        })
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[async_trait]
impl Watch for Looking {
    async fn next(&mut self) -> Result<Update, Fault> {
        loop {
            if let Some(at) = self.next_at {
                sleep_until(at).await;
            }
            let path = Arc::clone(&self.path);
            let known = self.print.take();
            // If this future is dropped in here, the file is read anew: nothing is lost.
            let looked = spawn_blocking(move || {
                // Before reading: a change in between is seen the next time.
                let print = Print::of(&path);
                if print.is_some() && print == known {
                    return (print, None);
                }
                let read = Document::read(&path);
                (print, Some(read))
            });
            let (print, read) = looked
                .await
                .map_err(|error| Fault::transient("the file could not be looked at").with_source(error))?;
            self.next_at = Some(Instant::now() + PERIOD);
            // What could not be read is not known, however much it looks like what it was.
            let unread = matches!(&read, Some(Err(fault)) if fault.kind() != FaultKind::Invalid);
            self.print = print.filter(|_| !unread);
            match read {
                None => {}
                Some(Ok(document)) => {
                    self.failed = false;
                    let records = document.records(&self.name);
                    return Ok(if records.is_empty() {
                        Update::Absent
                    } else {
                        Update::Snapshot(records)
                    });
                }
                // One that is missing or cannot be read is looked for each time, and told once.
                Some(Err(_)) if self.failed && self.print.is_none() => {}
                Some(Err(fault)) => {
                    self.failed = true;
                    return Ok(Update::Stale(fault));
                }
            }
        }
    }
}
