//! What a watch makes of answers that a real etcd gives seldom, or never.

use rpc_core::Code;
use tokio::time::{advance, timeout};

use super::*;
use crate::{
    Meaning,
    api::{Event, KeyValue},
    meaning,
};

const START: Position = Position {
    cluster: 7,
    revision: 10,
};

/// A watch, with what etcd sends and what it is asked.
struct Played {
    watch: Watcher,
    etcd: Sender<WatchResponse>,
    asked: Streaming<WatchRequest>,
}

fn play() -> Played {
    let (requests, asked) = Streaming::channel(2);
    let (etcd, responses) = Streaming::channel(16);
    let watch = Watcher {
        requests,
        responses,
        id: 3,
        position: START,
        partial: Vec::new(),
        probe_interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        heard: Instant::now(),
        probed: false,
    };
    Played { watch, etcd, asked }
}

fn answer(revision: i64) -> WatchResponse {
    WatchResponse {
        header: Some(ResponseHeader {
            cluster_id: 7,
            revision,
        }),
        watch_id: 3,
        ..WatchResponse::default()
    }
}

fn put(key: &'static str, revision: i64) -> Event {
    Event {
        r#type: EventType::Put as i32,
        kv: Some(KeyValue {
            key: key.into(),
            mod_revision: revision,
            value: "v".into(),
            lease: 0,
        }),
    }
}

fn with(mut answer: WatchResponse, events: impl IntoIterator<Item = Event>) -> WatchResponse {
    answer.events = events.into_iter().collect();
    answer
}

/// What comes of one answer, if anything.
async fn told(answer: WatchResponse) -> (Option<Result<Changes>>, Position) {
    let mut played = play();
    played.etcd.send(answer).await.unwrap();
    let told = timeout(Duration::from_secs(1), played.watch.next()).await;
    (told.ok(), played.watch.position())
}

#[tokio::test(start_paused = true)]
async fn changes_move_the_position_to_the_last_of_them() {
    // The store itself is further already: what it did since is still to come.
    let (told, position) = told(with(answer(20), [put("a", 12), put("b", 13)])).await;
    let changes = told.unwrap().unwrap();
    assert_eq!(changes.changes.len(), 2);
    assert_eq!(changes.position, position);
    assert_eq!(position.revision, 13);
}

#[tokio::test(start_paused = true)]
async fn progress_of_its_own_accord_moves_the_position_and_an_answer_does_not() {
    let (nothing, position) = told(answer(15)).await;
    assert!(nothing.is_none());
    assert_eq!(position.revision, 15);

    let mut answered = answer(15);
    answered.watch_id = -1;
    let (nothing, position) = told(answered).await;
    assert!(nothing.is_none());
    assert_eq!(position, START);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_does_not_know_the_cluster_is_no_other_cluster() {
    let mut unnamed = answer(15);
    unnamed.header.as_mut().unwrap().cluster_id = 0;
    let (nothing, position) = told(unnamed).await;
    assert!(nothing.is_none());
    let cluster = START.cluster;
    let revision = 15;
    assert_eq!(position, Position { cluster, revision });
}

#[tokio::test(start_paused = true)]
async fn parts_are_joined_also_when_nobody_waits_between_them() {
    let mut played = play();
    let mut first = with(answer(12), [put("a", 12)]);
    first.fragment = true;
    played.etcd.send(first).await.unwrap();
    timeout(Duration::from_secs(1), played.watch.next())
        .await
        .expect_err("the rest is to come");
    assert_eq!(played.watch.position(), START);
    played.etcd.send(with(answer(12), [put("b", 12)])).await.unwrap();
    let changes = played.watch.next().await.unwrap();
    let keys: Vec<_> = changes.changes.iter().map(|change| &change.key[..]).collect();
    assert_eq!(keys, [b"a", b"b"]);
    assert_eq!(played.watch.position().revision, 12);
}

#[tokio::test(start_paused = true)]
async fn silence_is_questioned_and_an_answer_is_enough() {
    let mut played = play();
    for _ in 0..3 {
        timeout(Duration::from_secs(11), played.watch.next())
            .await
            .expect_err("nothing has changed");
        let question = played.asked.message().await.unwrap().unwrap();
        assert!(matches!(question.request, Some(WatchRequestKind::Progress(_))));
        let mut answered = answer(10);
        answered.watch_id = -1;
        played.etcd.send(answered).await.unwrap();
        timeout(Duration::from_millis(1), played.watch.next())
            .await
            .expect_err("nothing has changed");
    }
    // Whoever does not wait is not asked for it.
    advance(Duration::from_mins(1)).await;
    played.etcd.send(with(answer(11), [put("a", 11)])).await.unwrap();
    assert_eq!(played.watch.next().await.unwrap().changes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_without_an_answer_fails_the_watch() {
    let mut played = play();
    let since = Instant::now();
    let status = played.watch.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(since.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_fails_the_watch() {
    let mut played = play();
    drop(played.etcd);
    let status = played.watch.next().await.unwrap_err();
    assert_eq!(meaning(&status), Meaning::Transient, "{status}");
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be() {
    let mut headless = answer(11);
    headless.header = None;
    let mut elsewhere = answer(11);
    elsewhere.header.as_mut().unwrap().cluster_id = 8;
    let mut compacted = answer(0);
    compacted.canceled = true;
    compacted.compact_revision = 50;
    let ended = |reason: &str| {
        let mut ended = answer(11);
        ended.canceled = true;
        ended.cancel_reason = reason.to_owned();
        ended
    };
    for (answer, expected) in [
        (headless, Meaning::Transient),
        (elsewhere, Meaning::Behind),
        (answer(9), Meaning::Behind),
        (compacted, Meaning::Behind),
        (ended("etcdserver: no leader"), Meaning::Transient),
        (ended("etcdserver: permission denied"), Meaning::Denied),
        (
            ended("rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"),
            Meaning::Denied,
        ),
        (
            ended("rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old"),
            Meaning::Denied,
        ),
        (
            ended("rpc error: code = InvalidArgument desc = etcdserver: user name is empty"),
            Meaning::Denied,
        ),
        (ended(&"x".repeat(100_000)), Meaning::Transient),
    ] {
        let shown = format!("{:.80?}", answer.cancel_reason);
        let status = told(answer).await.0.unwrap().unwrap_err();
        assert_eq!(meaning(&status), expected, "{shown}");
        assert!(status.message().len() < 400, "{shown}");
    }
    // A change of no key is one of an empty key, and harms nobody.
    let nameless = Event { r#type: 99, kv: None };
    let changes = told(with(answer(11), [nameless])).await.0.unwrap().unwrap();
    assert_eq!(changes.changes[0].key, "");
}
