//! Unix sockets and their files.

use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rpc_core::{
    net::{Address, Dialer, ListenConfig, Listener},
    server::{Dispatch, Router},
    transport::Drain,
};

use super::echo::{Echo, Serving, any_port, exchange, in_time};

/// A folder of this test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rpc-net-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn address(path: &Path) -> Address {
    Address::Unix(path.into())
}

async fn bind(path: &Path) -> Result<Listener, rpc_core::net::BindError> {
    Listener::bind(&[address(path)], ListenConfig::default()).await
}

#[tokio::test]
async fn a_path_is_served_beside_a_port_and_removed_at_the_end() {
    let folder = Folder::new();
    let serving = Serving::start(&[any_port(), address(&folder.socket())], ListenConfig::default()).await;
    assert_eq!(serving.addresses[1], address(&folder.socket()));
    for target in &serving.addresses {
        let mut dialed = in_time(Dialer::new().dial(target)).await.unwrap();
        assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
    }
    serving.stop().await;
    assert!(!folder.socket().exists());
    let status = Dialer::new().dial(&address(&folder.socket())).await.unwrap_err();
    assert!(
        status.message().contains(&*folder.socket().to_string_lossy()),
        "{status}"
    );
}

/// Nothing else runs between: the tasks that accept are still there.
#[tokio::test]
async fn addresses_are_free_as_soon_as_what_serves_there_is_dropped() {
    let folder = Folder::new();
    let (_handle, drain) = Drain::new();
    let mut addresses = vec![any_port(), address(&folder.socket())];
    for _ in 0..3 {
        let listener = Listener::bind(&addresses, ListenConfig::default()).await.unwrap();
        addresses = listener.local_addresses();
        let dispatch = Dispatch::new(Arc::new(Router::new()));
        let serving = listener.serve(vec![Arc::new(Echo("echo"))], dispatch, drain.clone());
        let calls = async {
            for address in &addresses {
                let mut dialed = Dialer::new().dial(address).await.unwrap();
                assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
            }
        };
        tokio::select! {
            () = serving => panic!("nobody has stopped it"),
            () = calls => {}
        }
        assert!(!folder.socket().exists());
    }
}

#[tokio::test]
async fn a_stale_file_is_replaced() {
    let folder = Folder::new();
    drop(UnixListener::bind(folder.socket()).unwrap());
    assert!(folder.socket().exists(), "std leaves the file");
    let serving = Serving::start(&[address(&folder.socket())], ListenConfig::default()).await;
    let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
    assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
}

/// Another server, which holds the lock of the folder, is about to replace the file.
#[tokio::test(start_paused = true)]
async fn a_stale_file_that_another_server_replaces_meanwhile_is_left_alone() {
    let folder = Folder::new();
    drop(UnixListener::bind(folder.socket()).unwrap());
    let lock = File::open(&folder.0).unwrap();
    lock.lock().unwrap();
    let path = folder.socket();
    let mut binding = pin!(bind(&path));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut binding).await;
    assert!(early.is_err(), "it waits for the other one");
    fs::remove_file(folder.socket()).unwrap();
    let other = UnixListener::bind(folder.socket()).unwrap();
    drop(lock);
    let error = binding.await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(std::os::unix::net::UnixStream::connect(folder.socket()).is_ok());
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn who_holds_a_folder_for_long_keeps_nobody_from_listening_there() {
    let folder = Folder::new();
    drop(UnixListener::bind(folder.socket()).unwrap());
    let lock = File::open(&folder.0).unwrap();
    lock.lock().unwrap();
    drop(bind(&folder.socket()).await.unwrap());
}

#[tokio::test]
async fn a_live_socket_is_left_alone() {
    let folder = Folder::new();
    let other = UnixListener::bind(folder.socket()).unwrap();
    let error = bind(&folder.socket()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(folder.socket().exists());
    drop(other);
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.socket(), "precious").unwrap();
    assert_eq!(
        bind(&folder.socket()).await.unwrap_err().kind(),
        std::io::ErrorKind::AddrInUse
    );
    assert_eq!(fs::read_to_string(folder.socket()).unwrap(), "precious");
    // Nor is a link followed to something that looks stale.
    let link = folder.0.join("link");
    drop(UnixListener::bind(folder.0.join("stale")).unwrap());
    symlink(folder.0.join("stale"), &link).unwrap();
    assert_eq!(
        bind(&link).await.unwrap_err().kind(),
        std::io::ErrorKind::AddrInUse
    );
    assert!(link.exists());
}

#[tokio::test]
async fn somebody_elses_file_is_not_removed() {
    let folder = Folder::new();
    let listener = bind(&folder.socket()).await.unwrap();
    fs::remove_file(folder.socket()).unwrap();
    fs::write(folder.socket(), "another's").unwrap();
    drop(listener);
    assert!(folder.socket().exists());
}

#[tokio::test]
async fn a_listener_that_is_dropped_before_it_serves_leaves_nothing() {
    let folder = Folder::new();
    drop(bind(&folder.socket()).await.unwrap());
    assert!(!folder.socket().exists());
    // One that cannot be bound takes those before it along.
    let addresses = [address(&folder.socket()), "local:x".parse().unwrap()];
    assert!(Listener::bind(&addresses, ListenConfig::default()).await.is_err());
    assert!(!folder.socket().exists());
}
