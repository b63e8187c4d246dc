//! The client: keys, leases, watches, endpoints.

use std::time::Duration;

use rpc::Code;
use rpc_etcd::{Etcd, EtcdConfig, Meaning, meaning};
use tokio::time::timeout;

use super::node::{Node, Port, in_time};

#[tokio::test]
async fn keys_are_written_read_replaced_and_deleted() {
    let node = Node::start().await;
    let etcd = node.etcd();
    assert_eq!(etcd.get("/a").await.unwrap(), None);
    etcd.put("/a", "1", None).await.unwrap();
    let entry = etcd.get("/a").await.unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.lease), (&b"1"[..], None));
    assert!(etcd.replace(&entry, "2").await.unwrap());
    assert!(!etcd.replace(&entry, "3").await.unwrap(), "it has changed since");
    assert_eq!(etcd.get("/a").await.unwrap().unwrap().value, "2");
    assert!(etcd.delete("/a").await.unwrap());
    assert!(!etcd.delete("/a").await.unwrap());
}

#[tokio::test]
async fn a_key_is_read_as_it_was_until_that_is_forgotten() {
    let node = Node::start().await;
    let etcd = node.etcd();
    etcd.put("/a", "1", None).await.unwrap();
    let then = etcd.list("/").await.unwrap().position;
    etcd.put("/a", "2", None).await.unwrap();
    etcd.put("/b", "1", None).await.unwrap();
    assert_eq!(etcd.get_at("/a", then).await.unwrap().unwrap().value, "1");
    assert_eq!(etcd.get_at("/b", then).await.unwrap(), None);
    let now = etcd.list("/").await.unwrap().position;
    assert_eq!(etcd.get_at("/a", now).await.unwrap().unwrap().value, "2");
    etcd.compact(now.revision).await.unwrap();
    let status = etcd.get_at("/a", then).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Behind, "{status}");
}

/// More than a page, and then values of which a page is too large for one message.
#[tokio::test]
async fn a_long_list_is_read_in_pages() {
    let node = Node::start().await;
    let etcd = node.etcd();
    let large = "x".repeat(1_000_000);
    for number in 0..24 {
        let key = format!("/large/{number:04}");
        etcd.put(key, large.clone(), None).await.unwrap();
    }
    let writers = (0..8).map(|writer| {
        let etcd = etcd.clone();
        tokio::spawn(async move {
            for number in (writer..4_500).step_by(8) {
                etcd.put(format!("/small/{number:05}"), "", None).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        in_time(writer).await.unwrap();
    }
    let small = etcd.list("/small/").await.unwrap();
    let expected = (0..4_500).map(|number| format!("/small/{number:05}").into_bytes());
    assert!(small.entries.iter().map(|entry| entry.key.to_vec()).eq(expected));
    let all = etcd.list("/large/").await.unwrap();
    assert_eq!(all.entries.len(), 24);
    assert!(etcd.list("/nothing/").await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_lease_takes_its_keys_along() {
    let node = Node::start().await;
    let etcd = node.etcd();
    let lease = etcd.grant(Duration::from_millis(29_500)).await.unwrap();
    assert_eq!(lease.ttl, Duration::from_secs(30));
    etcd.put("/a", "1", Some(lease.id)).await.unwrap();
    let entry = etcd.get("/a").await.unwrap().unwrap();
    assert_eq!(entry.lease, Some(lease.id));
    assert!(etcd.replace(&entry, "2").await.unwrap());
    assert_eq!(etcd.get("/a").await.unwrap().unwrap().lease, Some(lease.id));
    assert_eq!(etcd.keep_alive(lease.id).await.unwrap(), lease.ttl);
    etcd.revoke(lease.id).await.unwrap();
    assert_eq!(etcd.get("/a").await.unwrap(), None);

    // What is gone is lost to whoever renews or writes, and was ended well.
    let status = etcd.keep_alive(lease.id).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Lost, "{status}");
    let status = etcd.put("/a", "3", Some(lease.id)).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Lost, "{status}");
    etcd.revoke(lease.id).await.unwrap();

    let status = etcd.grant(Duration::from_secs(10_000_000_000)).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Invalid, "{status}");
}

#[tokio::test]
async fn a_watch_begins_where_a_list_ended() {
    let node = Node::start().await;
    let etcd = node.etcd();
    etcd.put("/s/a", "1", None).await.unwrap();
    let list = etcd.list("/s/").await.unwrap();
    etcd.put("/s/b", "2", None).await.unwrap();
    etcd.put("/s2/x", "of no concern", None).await.unwrap();
    etcd.delete("/s/a").await.unwrap();
    let mut watch = etcd.watch("/s/", list.position).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let changes = in_time(watch.next()).await.unwrap();
        assert_eq!(changes.position, watch.position());
        seen.extend(
            changes
                .changes
                .into_iter()
                .map(|change| (change.key, change.value)),
        );
    }
    assert_eq!(seen, [("/s/b".into(), Some("2".into())), ("/s/a".into(), None)]);
}

/// More changes at one revision than etcd puts into one message.
#[tokio::test]
async fn changes_that_come_in_parts_are_told_as_one() {
    let node = Node::start().await;
    let etcd = node.etcd();
    let lease = etcd.grant(Duration::from_mins(1)).await.unwrap();
    let list = etcd.list("/s/").await.unwrap();
    let large = "x".repeat(400_000);
    for number in 0..10 {
        etcd.put(format!("/s/{number}"), large.clone(), Some(lease.id))
            .await
            .unwrap();
    }
    let mut watch = etcd.watch("/s/", list.position).await.unwrap();
    let mut written = 0;
    while written < 10 {
        written += in_time(watch.next()).await.unwrap().changes.len();
    }
    etcd.revoke(lease.id).await.unwrap();
    let changes = in_time(watch.next()).await.unwrap().changes;
    assert_eq!(changes.len(), 10);
    assert!(changes.iter().all(|change| change.value.is_none()));
}

#[tokio::test]
async fn history_that_is_gone_is_behind() {
    let node = Node::start().await;
    let etcd = node.etcd();
    let list = etcd.list("/s/").await.unwrap();
    for number in 0..10 {
        etcd.put("/s/a", number.to_string(), None).await.unwrap();
    }
    let now = etcd.list("/s/").await.unwrap();
    etcd.compact(now.position.revision).await.unwrap();
    // etcd begins such a watch before it says that it cannot.
    let mut watch = etcd.watch("/s/", list.position).await.unwrap();
    let status = in_time(watch.next()).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Behind, "{status}");
    // From the list on there is nothing amiss.
    let mut watch = etcd.watch("/s/", now.position).await.unwrap();
    etcd.put("/s/b", "1", None).await.unwrap();
    assert_eq!(in_time(watch.next()).await.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn another_history_is_behind_whatever_its_revision() {
    let mut node = Node::start().await;
    let etcd = node.etcd();
    for number in 0..10 {
        etcd.put("/s/a", number.to_string(), None).await.unwrap();
    }
    let list = etcd.list("/s/").await.unwrap();
    node.wipe().await;
    let status = etcd.watch("/s/", list.position).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Behind, "{status}");
}

#[tokio::test]
async fn a_silent_etcd_fails_the_watch_and_nothing_is_missed() {
    let node = Node::start().await;
    let mut config = EtcdConfig::new([node.address()]);
    config.probe_interval = Duration::from_millis(300);
    // What a busy etcd stays below.
    config.timeout = Duration::from_secs(3);
    let etcd = Etcd::new(config).unwrap();
    let list = etcd.list("/s/").await.unwrap();
    let mut watch = etcd.watch("/s/", list.position).await.unwrap();
    // Several questions, each answered.
    timeout(Duration::from_secs(2), watch.next())
        .await
        .expect_err("nothing has changed");

    node.pause();
    let status = in_time(watch.next()).await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Transient, "{status}");
    let status = etcd.get("/s/a").await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Transient, "{status}");
    node.resume();

    node.answers(&etcd).await;
    etcd.put("/s/a", "1", None).await.unwrap();
    let mut watch = etcd.watch("/s/", watch.position()).await.unwrap();
    let changes = in_time(watch.next()).await.unwrap();
    assert_eq!(changes.changes[0].key, "/s/a");
}

#[tokio::test]
async fn a_killed_etcd_fails_the_watch_and_nothing_is_missed() {
    let mut node = Node::start().await;
    let etcd = node.etcd();
    let list = etcd.list("/s/").await.unwrap();
    let mut watch = etcd.watch("/s/", list.position).await.unwrap();
    etcd.put("/s/a", "1", None).await.unwrap();
    node.kill();
    let mut seen = Vec::new();
    let status = loop {
        match in_time(watch.next()).await {
            Ok(changes) => seen.extend(changes.changes),
            Err(status) => break status,
        }
    };
    assert_eq!(meaning(&status), Meaning::Transient, "{status}");
    node.restart().await;
    node.answers(&etcd).await;
    etcd.put("/s/b", "2", None).await.unwrap();
    let mut watch = etcd.watch("/s/", watch.position()).await.unwrap();
    while seen.len() < 2 {
        seen.extend(in_time(watch.next()).await.unwrap().changes);
    }
    let keys: Vec<_> = seen.iter().map(|change| &change.key[..]).collect();
    assert_eq!(keys, [b"/s/a", b"/s/b"]);
}

#[tokio::test]
async fn the_next_endpoint_is_asked_when_one_is_away() {
    let node = Node::start().await;
    let nobody = [Port::free(), Port::free()];
    let [before, after] = nobody.each_ref().map(Port::address);
    // Which one is asked first is drawn.
    for _ in 0..8 {
        let endpoints = [before.clone(), node.address(), after.clone()];
        let etcd = Etcd::new(EtcdConfig::new(endpoints)).unwrap();
        etcd.put("/a", "1", None).await.unwrap();
        let list = etcd.list("/").await.unwrap();
        let mut watch = etcd.watch("/", list.position).await.unwrap();
        let lease = etcd.grant(Duration::from_secs(10)).await.unwrap();
        etcd.keep_alive(lease.id).await.unwrap();
        etcd.put("/b", "1", Some(lease.id)).await.unwrap();
        in_time(watch.next()).await.unwrap();
        etcd.revoke(lease.id).await.unwrap();
    }
    let etcd = Etcd::new(EtcdConfig::new([before, after])).unwrap();
    let status = etcd.get("/a").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_left() {
    let silent = Node::start().await;
    let node = Node::start().await;
    for _ in 0..4 {
        let mut config = EtcdConfig::new([silent.address(), node.address()]);
        // What a busy etcd stays below.
        config.timeout = Duration::from_secs(2);
        let etcd = Etcd::new(config).unwrap();
        silent.pause();
        // At most one attempt is spent on it.
        let mut failed = 0;
        while etcd.put("/a", "1", None).await.is_err() {
            failed += 1;
            assert!(failed < 2);
        }
        silent.resume();
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let field = |change: fn(&mut EtcdConfig)| {
        let mut config = EtcdConfig::new(["127.0.0.1:2379".parse().unwrap()]);
        change(&mut config);
        Etcd::new(config).unwrap_err().field().to_owned()
    };
    assert_eq!(field(|config| config.endpoints.clear()), "endpoints");
    assert_eq!(field(|config| config.timeout = Duration::ZERO), "timeout");
    assert_eq!(
        field(|config| config.probe_interval = Duration::ZERO),
        "probe_interval"
    );
    assert_eq!(
        field(|config| config.user = Some((String::new(), "x".into()))),
        "user"
    );
    let config = EtcdConfig::new([]).with_user("root", "secret");
    assert!(!format!("{config:?}").contains("secret"));
}
