//! The last list, on disk, for the next start.
//!
//! One file a target. The first line says what it is: version, target, when it was saved, a checksum of the rest; the
//! second is the list. It is written to a temporary file, synced, and renamed, so that a crash leaves the old one or the
//! new one. A file that does not fit its checksum is moved aside and not used; one that cannot be read stays where it is.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::narrow::fnv;
use crate::{
    Instance,
    record::plain::{self, Plain},
};

const VERSION: u32 = 1;
/// What is larger is no list of ours.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Where the last list of a target is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskCache {
    /// The directory; it is made when first needed. Several clients, and several processes, may share it; those of several
    /// users only if they may read and replace each other's files.
    pub dir: PathBuf,
    /// What is older is not used. While the registry answers, the list is saved anew each eighth of that, also if it stays
    /// as it is. Default: 24 hours.
    pub max_age: Duration,
}

#[derive(Serialize, Deserialize)]
struct Head {
    v: u32,
    target: String,
    saved_at_ms: u64,
    sum: String,
}

/// A list that was found.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) instances: Vec<Instance>,
    pub(crate) saved_at: SystemTime,
}

impl DiskCache {
    /// In a directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_age: Duration::from_hours(24),
        }
    }

    /// Sets what is too old.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// The file of a target.
    pub fn file(&self, target: &str) -> PathBuf {
        let scheme: String = target
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        self.dir
            .join(format!("{scheme}-{:016x}.rpc", fnv(0, target.as_bytes())))
    }

    /// Keeps a list. Blocks.
    pub(super) fn save(&self, target: &str, list: &[Arc<Instance>]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let bytes = encode(target, list)?;
        let file = self.file(target);
        let temporary = file.with_extension(format!("{:x}-{:x}", std::process::id(), fastrand::u64(..)));
        let written = (|| {
            let mut out = fs::File::create(&temporary)?;
            out.write_all(&bytes)?;
            out.sync_all()?;
            fs::rename(&temporary, &file)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// What was kept, if it can be used. Blocks.
    pub(super) fn load(&self, target: &str) -> Option<Saved> {
        let file = self.file(target);
        match read(&file, target) {
            Ok(saved) => {
                // A clock that was set back makes a file that is from the future; it is as young as can be.
                let age = SystemTime::now()
                    .duration_since(saved.saved_at)
                    .unwrap_or_default();
                if age > self.max_age {
                    tracing::warn!(target, ?age, "the list on disk is too old to be used");
                    return None;
                }
                Some(saved)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if is_of_content(&error) => {
                let aside = file.with_extension("bad");
                tracing::warn!(target, %error, aside = %aside.display(), "the list on disk cannot be used; moving it aside");
                let _ = fs::rename(&file, aside);
                None
            }
            // It may be a good one, for another user or in a moment.
            Err(error) => {
                tracing::warn!(target, %error, file = %file.display(), "the list on disk cannot be read");
                None
            }
        }
    }
}

fn read(file: &Path, target: &str) -> io::Result<Saved> {
    if fs::metadata(file)?.len() > MAX_BYTES {
        return Err(bad(format!("more than {MAX_BYTES} bytes")));
    }
    decode(&fs::read(file)?, target)
}

/// True if what was read is no list of that target, and false if nothing could be read.
fn is_of_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

fn bad(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// A list as a file.
pub(crate) fn encode(target: &str, list: &[Arc<Instance>]) -> io::Result<Vec<u8>> {
    let plain: Vec<_> = list.iter().map(|instance| Plain::from(&**instance)).collect();
    envelope(target, &serde_json::to_vec(&plain)?)
}

/// A list that is written already, as a file.
pub(crate) fn envelope(target: &str, list: &[u8]) -> io::Result<Vec<u8>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = serde_json::to_vec(&Head {
        v: VERSION,
        target: target.to_owned(),
        saved_at_ms: since.as_millis() as u64,
        sum: sum(list),
    })?;
    Ok([&head, &b"\n"[..], list, b"\n"].concat())
}

/// What a file says, if it can be used for a target.
pub(crate) fn decode(bytes: &[u8], target: &str) -> io::Result<Saved> {
    let end = bytes
        .iter()
        .position(|b| *b == b'\n')
        .ok_or_else(|| bad("no first line".to_owned()))?;
    let (head, rest) = (&bytes[..end], &bytes[end + 1..]);
    let list = rest
        .strip_suffix(b"\n")
        .ok_or_else(|| bad("it was cut off".to_owned()))?;
    let head: Head = serde_json::from_slice(head)?;
    if head.v != VERSION {
        return Err(bad(format!("`v`: version {} is not known here", head.v)));
    }
    if head.target != target {
        return Err(bad(format!("`target`: it is of `{}`", head.target)));
    }
    if head.sum != sum(list) {
        return Err(bad("`sum`: the checksum does not fit".to_owned()));
    }
    let records: Vec<&RawValue> = serde_json::from_slice(list)?;
    let read =
        |record: &RawValue| plain::read(&mut serde_json::Deserializer::from_str(record.get()), "?").ok();
    Ok(Saved {
        instances: records.into_iter().filter_map(read).collect(),
        saved_at: UNIX_EPOCH
            .checked_add(Duration::from_millis(head.saved_at_ms))
            .unwrap_or(UNIX_EPOCH),
    })
}

fn sum(bytes: &[u8]) -> String {
    format!("{:016x}", fnv(0, bytes))
}
