//! Changing the file.

use std::{
    fs::{self, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{task::spawn_blocking, time::sleep};

use super::document::Document;
use crate::{Amendment, Fault, FaultKind, Instance, InstanceId, Registration, Registry};

/// How often to look whether somebody else is done with the file.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(super) struct FileRegistry {
    pub(super) path: PathBuf,
}

impl FileRegistry {
    /// Changes the file, alone. One that is not there is made. What was given up before its turn came is not done any more: it
    /// would undo what came later.
    async fn change<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Document) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let wanted = Arc::new(());
        let still_wanted = Arc::downgrade(&wanted);
        let locked = self.lock().await?;
        let changed = spawn_blocking(move || {
            // All of it: the lock ends with the writing, also where that was given up meanwhile.
            let locked = locked;
            let path = &locked.path;
            if still_wanted.strong_count() == 0 {
                return Err(Fault::transient("it was given up"));
            }
            let mut document = if path.exists() {
                read(path)?
            } else {
                Document::empty()
            };
            let result = f(&mut document)?;
            replace(path, document.to_text()?.as_bytes())?;
            Ok(result)
        });
        let gone = |error| Fault::transient("the file could not be changed").with_source(error);
        let changed = changed.await.map_err(gone)?;
        drop(wanted);
        changed
    }

    /// Waits until nobody else changes the file. The lock ends with what is returned.
    ///
    /// No thread waits: one that does cannot be given up, and a runtime does not end before it.
    async fn lock(&self) -> Result<Locked, Fault> {
        loop {
            let path = self.path.clone();
            let gone = |error| Fault::transient("the file could not be locked").with_source(error);
            if let Some(locked) = spawn_blocking(move || try_lock(&path)).await.map_err(gone)?? {
                return Ok(locked);
            }
            sleep(BETWEEN_TRIES).await;
        }
    }

    /// Writes an instance, in place of whatever has its id if it is `new`.
    async fn put(&self, name: &str, instance: &Instance, new: bool) -> Result<(), Fault> {
        let (name, instance) = (name.to_owned(), instance.clone());
        let change = self.change(move |document| {
            if !new {
                document.check_owner(&name, &instance)?;
            }
            document.put(&name, &instance)
        });
        change.await
    }
}

#[async_trait]
impl Registry for FileRegistry {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        self.put(name, instance, true).await?;
        Ok(Box::new(Written {
            registry: self.clone(),
            name: name.to_owned(),
            instance: instance.clone(),
        }))
    }

    async fn amend(&self, name: &str, id: &InstanceId, amendment: &Amendment) -> Result<(), Fault> {
        let (name, id, amendment) = (name.to_owned(), id.clone(), amendment.clone());
        self.change(move |document| {
            let mut records = document.records(&name).into_iter().flatten();
            let found = records.find(|instance| instance.id == id);
            let mut found =
                found.ok_or_else(|| Fault::lost(format!("there is no instance `{id}` of `{name}`")))?;
            amendment.check_and_apply_as_operator(&mut found)?;
            document.put(&name, &found)
        })
        .await
    }

    /// Twice as long as it takes until a changed file is read.
    fn notice(&self) -> Duration {
        Duration::from_secs(1)
    }
}

struct Written {
    registry: FileRegistry,
    name: String,
    instance: Instance,
}

#[async_trait]
impl Registration for Written {
    async fn verify(&mut self) -> Result<Option<Instance>, Fault> {
        let (path, name, instance) = (
            self.registry.path.clone(),
            self.name.clone(),
            self.instance.clone(),
        );
        let read = spawn_blocking(move || {
            if matches!(path.try_exists(), Ok(false)) {
                return Err(Fault::lost(format!("`{}` is not there", path.display())));
            }
            let document = read(&path)?;
            document.check_owner(&name, &instance)?;
            Ok(document.records(&name))
        });
        let gone = |error| Fault::transient("the file could not be read").with_source(error);
        let records = read.await.map_err(gone)??;
        let found = records.into_iter().flatten().find(|i| i.id == self.instance.id);
        let found = found.ok_or_else(|| Fault::lost(format!("`{}` is not in the file", self.instance.id)))?;
        // Times are written in milliseconds.
        let started_at = self.instance.started_at;
        Ok(Some(Instance { started_at, ..found }).filter(|found| *found != self.instance))
    }

    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault> {
        self.registry.put(&self.name, instance, false).await?;
        self.instance = instance.clone();
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        let (name, instance) = (self.name.clone(), self.instance.clone());
        let change = self.registry.change(move |document| {
            if document.check_owner(&name, &instance).is_ok() {
                document.remove(&name, instance.id.as_str());
            }
            Ok(())
        });
        change.await
    }
}

/// Reads the file. That it makes no sense, as it may while somebody writes it, says nothing of what is announced.
fn read(path: &Path) -> Result<Document, Fault> {
    Document::read(path).map_err(|fault| match fault.kind() {
        FaultKind::Invalid => Fault::transient(fault.to_string()).with_source(fault),
        _ => fault,
    })
}

/// A file that nobody else changes for as long as this is there.
struct Locked {
    /// Without links: they stay, and are of the same file as others know it by.
    path: PathBuf,
    _lock: fs::File,
}

/// `None` while somebody else changes the file.
fn try_lock(path: &Path) -> Result<Option<Locked>, Fault> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let fault = |error| cannot("locked", &name, error);
    let open = || {
        let opened = fs::File::options().write(true).open(&name);
        opened.or_else(|error| match error.kind() {
            // Somebody else's: reading it is enough.
            io::ErrorKind::PermissionDenied => fs::File::open(&name).map_err(|_| error),
            _ => Err(error),
        })
    };
    let opened = open().or_else(|error| match error.kind() {
        // Made here, and not where a link leads.
        io::ErrorKind::NotFound => fs::File::create_new(&name).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => open(),
            _ => Err(error),
        }),
        _ => Err(error),
    });
    let lock = opened.map_err(fault)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(Locked { path, _lock: lock })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Fault {
    Fault::transient(format!("`{}` cannot be {what}: {error}", path.display())).with_source(error)
}

/// Writes the file anew beside it, and renames that: a crash leaves the old one or the new one.
fn replace(path: &Path, text: &[u8]) -> Result<(), Fault> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:x}-{:x}", std::process::id(), fastrand::u64(..)));
    let name = PathBuf::from(name);
    let fault = |error| {
        let text = format!(
            "`{}` cannot be changed: `{}`: {error}",
            path.display(),
            name.display()
        );
        Fault::transient(text).with_source(error)
    };
    let before = fs::metadata(path).ok();
    let mut options = fs::File::options();
    // Never what somebody else has put there, a link for instance.
    options.create_new(true).write(true);
    #[cfg(unix)]
    if before.is_some() {
        use std::os::unix::fs::OpenOptionsExt as _;

        // Until it is like the one that it replaces.
        options.mode(0o600);
    }
    let mut temporary = options.open(&name).map_err(fault)?;
    let replaced = (|| {
        temporary.write_all(text)?;
        if let Some(before) = &before {
            make_alike(&temporary, before)?;
        }
        temporary.sync_all()?;
        fs::rename(&name, path)
    })();
    if replaced.is_err() {
        let _ = fs::remove_file(&name);
    }
    replaced.map_err(fault)
}

/// Gives a file the mode of another one, and its owner and group as far as this process may.
fn make_alike(file: &fs::File, other: &fs::Metadata) -> io::Result<()> {
    // First: it may be somebody else's then, who alone may.
    file.set_permissions(other.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};

        let _ = fchown(file, None, Some(other.gid()));
        let _ = fchown(file, Some(other.uid()), None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind_where_the_file_cannot_be_replaced() {
        let name = format!("rpc-replace-{}-{:x}", std::process::id(), fastrand::u64(..));
        let dir = std::env::temp_dir().join(name);
        let path = dir.join("services.yaml");
        fs::create_dir_all(&path).unwrap();
        let fault = replace(&path, b"{}").expect_err("it is a folder");
        let named = format!("services.yaml.{:x}-", std::process::id());
        assert!(fault.to_string().contains(&named), "{fault}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }
}
