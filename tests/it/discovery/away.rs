//! A registry that is down, new and empty, or wrong.

use std::{path::PathBuf, time::Duration};

use rpc::{ClientBuilder, prelude::*, registry::Freshness};

use super::support::{Book, Running, server, tally, until, until_ready};

fn client(book: &Book) -> ClientBuilder {
    Client::builder()
        .registry(book.clone())
        .target("book:///who")
        .balancer(rpc::lb::RoundRobin::new())
}

struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = format!("rpc-{}-{:x}", std::process::id(), fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_client_that_starts_while_the_registry_is_down_uses_the_list_on_disk_and_says_so() {
    let (book, dir) = (Book::default(), Dir::new());
    let mut running = Vec::new();
    for name in ["a", "b"] {
        running.push(Running::start(server(name).registry(book.clone()).announce_at("book:///who")).await);
    }
    until(|| book.instances() == 2).await;
    let earlier = client(&book).cache_dir(&dir.0).build().unwrap();
    until_ready(&earlier, 2).await;
    // Two instances are in there once both were seen; the list is written once a second at most.
    until(|| {
        let files = std::fs::read_dir(&dir.0).into_iter().flatten().flatten();
        let finished = files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|e| e == "rpc"));
        let mut texts = finished.filter_map(|path| std::fs::read_to_string(path).ok());
        texts.any(|text| text.matches("\"id\"").count() == 2)
    })
    .await;
    drop(earlier);
    book.set_down(true);

    let without = client(&book).build().unwrap();
    let status = without.ready().await.unwrap_err();
    assert_eq!(status.reason(), Some("NO_ENDPOINT"));

    let client = client(&book).cache_dir(&dir.0).build().unwrap();
    until_ready(&client, 2).await;
    assert_eq!(tally(&client, 10).await.len(), 2);
    let snapshot = client.endpoints().snapshot();
    let Freshness::Disk { fault, .. } = snapshot.freshness() else {
        panic!("{:?}", snapshot.freshness())
    };
    assert!(fault.to_string().contains("the book is closed"));
    let [view] = &client.discovery()[..] else {
        panic!("one target")
    };
    assert!(matches!(view.freshness, Freshness::Disk { .. }));
    assert_eq!((view.listed, view.told_at), (2, None));
    assert!(view.freshness.age().is_some());
    assert!(view.to_string().contains("from disk"), "{view}");

    book.set_down(false);
    until(|| matches!(client.endpoints().snapshot().freshness(), Freshness::Live)).await;
    assert_eq!(tally(&client, 10).await.len(), 2);
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn calls_go_on_while_the_registry_is_down() {
    let book = Book::default();
    let running = Running::start(server("a").registry(book.clone()).announce_at("book:///who")).await;
    let client = client(&book).build().unwrap();
    until_ready(&client, 1).await;
    book.set_down(true);
    until(|| matches!(client.endpoints().snapshot().freshness(), Freshness::Stale { .. })).await;
    assert_eq!(tally(&client, 10).await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn those_that_died_with_the_registry_are_not_called_for_long() {
    let book = Book::default();
    let mut running = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        running.push(Running::start(server(name).registry(book.clone()).announce_at("book:///who")).await);
    }
    let client = client(&book).build().unwrap();
    until_ready(&client, 5).await;
    // Nobody renews, and the registry forgets: four of five are gone in fact.
    let alive = running.remove(0);
    for dead in running {
        dead.kill();
    }
    book.wipe();
    until(|| client.endpoints().snapshot().ready().len() == 1).await;
    assert_eq!(tally(&client, 10).await, [("a".to_owned(), 10)].into());
    alive.stop().await;
}

#[tokio::test]
async fn a_bad_record_hides_no_good_one() {
    let book = Book::default();
    book.spoil();
    let running = Running::start(server("a").registry(book.clone()).announce_at("book:///who")).await;
    until(|| book.instances() == 1).await;
    let client = client(&book).build().unwrap();
    until_ready(&client, 1).await;
    assert_eq!(tally(&client, 3).await.len(), 1);
    let view = client.discovery().remove(0);
    assert!(matches!(view.freshness, Freshness::Live) && view.told_at.is_some());
    let refused: Vec<_> = view.refused.iter().map(|bad| bad.fault.to_string()).collect();
    assert_eq!(
        (view.listed, &refused[..]),
        (1, &["`weight`: is a colour".to_owned()][..])
    );
    client.close().await;
    assert!(matches!(client.discovery()[0].freshness, Freshness::Pending));
    running.stop().await;
}

#[tokio::test]
async fn a_stop_that_is_announced_is_believed_at_once() {
    let book = Book::default();
    let mut running = Vec::new();
    for name in ["a", "b", "c"] {
        let builder = server(name).registry(book.clone()).announce_at("book:///who");
        running.push(Running::start(builder.notice(Duration::from_millis(500))).await);
    }
    let client = client(&book).build().unwrap();
    until_ready(&client, 3).await;
    // Two of three: twice what may go unannounced.
    let stays = running.remove(0);
    let stopping: Vec<_> = running.into_iter().map(Running::stop).map(tokio::spawn).collect();
    until(|| client.endpoints().snapshot().ready().len() == 1).await;
    assert_eq!(client.endpoints().snapshot().counts().suspect, 0);
    assert_eq!(tally(&client, 10).await.len(), 1);
    for stopping in stopping {
        stopping.await.unwrap();
    }
    stays.stop().await;
}
