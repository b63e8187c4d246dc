//! Unix sockets, and the files that they leave behind.
//!
//! A process that is killed leaves its socket's file, and the next one could not bind there. So a file is removed if it is
//! a socket on which nobody listens: a connect to it is refused. Anything else (a live socket, a plain file) is left alone
//! and makes the bind fail. Of two processes that find the same stale file, the second would remove what the first has put
//! in its place, so the folder is locked meanwhile. When the listener is closed it removes its file, unless somebody has put
//! another one there.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::{Instant, sleep},
};

use super::accept::{Acceptor, Incomer};
use crate::net::Address;

/// How long to wait for the lock of a folder, and how long between two attempts. It is held for a few system calls.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct UnixAcceptor {
    listener: UnixListener,
    path: Arc<Path>,
    /// Device and inode of the file that we made.
    file: Option<(u64, u64)>,
}

impl UnixAcceptor {
    pub(super) async fn bind(path: &Arc<Path>) -> io::Result<Self> {
        let _lock = lock_folder(path).await;
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_if_stale(path).await?;
                UnixListener::bind(path)?
            }
            result => result?,
        };
        let file = identity(path);
        Ok(Self {
            listener,
            path: Arc::clone(path),
            file,
        })
    }

    pub(super) fn address(&self) -> Address {
        Address::Unix(Arc::clone(&self.path))
    }
}

impl Acceptor for UnixAcceptor {
    type Io = UnixStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Incomer<UnixStream>>> {
        let (io, peer) = ready!(self.listener.poll_accept(cx))?;
        let peer = peer.as_pathname().map(|path| Address::Unix(path.into()));
        Poll::Ready(Ok(Incomer {
            io,
            local: Some(self.address()),
            peer,
        }))
    }
}

impl Drop for UnixAcceptor {
    fn drop(&mut self) {
        if self.file.is_some() && identity(&self.path) == self.file {
            // If it cannot be removed, the next one to bind finds it stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks the folder of a file until it is dropped. Without effect where the system does not let us, or another one holds it for
/// long, which is then not one of ours.
async fn lock_folder(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => sleep(LOCK_PAUSE).await,
            Err(_) => return None,
        }
    }
}

async fn remove_if_stale(path: &Path) -> io::Result<()> {
    let in_use = |text| io::Error::new(io::ErrorKind::AddrInUse, text);
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(in_use("there is a file of that name, and it is not a socket"));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(in_use("another process listens on it")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path)
        .ok()
        .map(|file| (file.dev(), file.ino()))
}
