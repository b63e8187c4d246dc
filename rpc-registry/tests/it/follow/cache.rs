//! The list on disk.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use rpc_registry::{DiskCache, Freshness};

use super::support::{Client, draining, instance};

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = format!("rpc-registry-{}-{:x}", std::process::id(), fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }

    fn cache(&self) -> DiskCache {
        DiskCache::new(&self.0)
    }

    fn file(&self) -> PathBuf {
        self.cache().file("script:///shop")
    }

    fn client(&self) -> Client {
        Client::with(|config| config.cache = Some(self.cache()))
    }

    /// A client that has lived, and seen so many instances.
    async fn filled(instances: usize) -> Self {
        let dir = Self::new();
        let mut client = dir.client();
        client.list(0..instances);
        dir.saved(&mut client, Duration::from_mins(10)).await;
        dir
    }

    /// Waits until the client has saved its list.
    async fn saved(&self, client: &mut Client, within: Duration) {
        let saved = async {
            while !self.file().exists() {
                client.settle().await;
            }
        };
        tokio::time::timeout(within, saved).await.expect("it is saved");
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_starts_while_the_registry_is_down_uses_it_and_says_so() {
    let dir = Dir::filled(3).await;
    let mut client = dir.client();
    client.away();
    client.settle().await;
    assert_eq!(client.counts(), (3, 0));
    assert_eq!(*client.instances["i-00001"], instance(1));
    let Freshness::Disk { saved_at, fault } = &client.freshness else {
        panic!("{:?}", client.freshness)
    };
    assert!(SystemTime::now().duration_since(*saved_at).unwrap() < Duration::from_mins(1));
    assert!(fault.to_string().contains("away"), "{fault}");
    // And goes on with what is said at last.
    client.list(1..5);
    client.wait(Duration::from_secs(1)).await;
    assert!(matches!(client.freshness, Freshness::Live));
    assert_eq!(client.counts(), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_says_nothing_is_waited_for_first() {
    let dir = Dir::filled(3).await;
    let mut client = dir.client();
    client.wait(Duration::from_millis(4900)).await;
    assert_eq!(client.changes, 0);
    client.wait(Duration::from_millis(200)).await;
    assert!(matches!(client.freshness, Freshness::Disk { .. }));
    assert_eq!(client.counts(), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn it_is_not_used_where_the_registry_answers() {
    let dir = Dir::filled(3).await;
    let mut client = dir.client();
    client.list(7..9);
    client.settle().await;
    assert_eq!(client.sees.keys().collect::<Vec<_>>(), ["i-00007", "i-00008"]);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_comes_up_empty_does_not_empty_it() {
    let dir = Dir::filled(3).await;
    let mut client = dir.client();
    client.away();
    client.absent();
    client.wait(Duration::from_secs(40)).await;
    assert_eq!(client.counts(), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_trusted_is_moved_aside() {
    let dir = Dir::filled(3).await;
    let good = fs::read(dir.file()).unwrap();
    let last = good.len() - 1;
    let flipped = {
        let mut bytes = good.clone();
        let digit = bytes.iter().rposition(u8::is_ascii_digit).unwrap();
        bytes[digit] ^= 1;
        bytes
    };
    let other = String::from_utf8(good.clone())
        .unwrap()
        .replacen("/shop", "/other", 1);
    let newer = String::from_utf8(good.clone())
        .unwrap()
        .replacen("\"v\":1", "\"v\":2", 1);
    for bad in [
        &good[..last],
        &flipped,
        other.as_bytes(),
        newer.as_bytes(),
        b"",
        b"{}\n[]\n",
        &[0xff; 100],
    ] {
        fs::write(dir.file(), bad).unwrap();
        let mut client = dir.client();
        client.away();
        client.settle().await;
        assert!(
            matches!(client.freshness, Freshness::Unresolved(_)),
            "{:?}",
            client.freshness
        );
        assert!(!dir.file().exists());
        assert_eq!(fs::read(dir.file().with_extension("bad")).unwrap(), bad);
    }
}

/// It may be another user's, or the disk may fail for a moment.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_stays_where_it_is() {
    let dir = Dir::filled(3).await;
    let kept = dir.file().with_extension("kept");
    fs::rename(dir.file(), &kept).unwrap();
    fs::create_dir(dir.file()).unwrap();
    let mut client = dir.client();
    client.away();
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Unresolved(_)));
    assert!(dir.file().exists() && !dir.file().with_extension("bad").exists());
    fs::remove_dir(dir.file()).unwrap();
    fs::rename(&kept, dir.file()).unwrap();
    let mut client = dir.client();
    client.away();
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Disk { .. }));
    assert_eq!(client.counts(), (3, 0));
}

/// Else a fleet in which nothing changes for a day has a list that is too old as soon as its registry is away.
#[tokio::test(start_paused = true)]
async fn a_list_that_stays_as_it_is_is_saved_anew() {
    let dir = Dir::new();
    let mut client = dir.client();
    client.list(0..3);
    for _ in 0..3 {
        dir.saved(&mut client, Duration::from_hours(4)).await;
        fs::remove_file(dir.file()).unwrap();
    }
    // Not while nobody says that it is right.
    client.away();
    client.wait(Duration::from_hours(10)).await;
    assert!(!dir.file().exists());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_could_not_be_saved_is_tried_again() {
    let dir = Dir::new();
    fs::write(&dir.0, "no directory").unwrap();
    let mut client = dir.client();
    client.list(0..3);
    client.wait(Duration::from_secs(10)).await;
    fs::remove_file(&dir.0).unwrap();
    dir.saved(&mut client, Duration::from_mins(2)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_not_used() {
    let dir = Dir::filled(3).await;
    let mut client = Client::with(|config| config.cache = Some(dir.cache().with_max_age(Duration::ZERO)));
    client.away();
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Unresolved(_)));
}

#[tokio::test(start_paused = true)]
async fn an_empty_or_doubted_list_is_not_kept() {
    let dir = Dir::filled(3).await;
    let kept = fs::read(dir.file()).unwrap();
    let mut client = dir.client();
    client.list(0..3);
    client.wait(Duration::from_secs(3)).await;
    client.gone(0..2);
    client.wait(Duration::from_secs(30)).await;
    for n in 0..3 {
        client.put(draining(n));
    }
    client.absent();
    client.wait(Duration::from_mins(30)).await;
    assert_eq!(client.counts(), (0, 0));
    let head_of = |bytes: &[u8]| bytes.iter().position(|b| *b == b'\n').unwrap();
    let now = fs::read(dir.file()).unwrap();
    let instances = String::from_utf8_lossy(&now[head_of(&now)..])
        .matches("\"id\"")
        .count();
    assert_eq!(
        instances,
        3,
        "{} -> {}",
        String::from_utf8_lossy(&kept),
        String::from_utf8_lossy(&now)
    );
}
