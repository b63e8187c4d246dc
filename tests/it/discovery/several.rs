//! Several registries at once, from the client's side.

use rpc::{lb::RoundRobin, prelude::*, registry::Freshness};

use super::support::{Book, Running, server, tally, until, until_ready};

#[tokio::test]
async fn a_client_calls_what_any_of_its_registries_lists() {
    let (book, memory) = (Book::default(), MemoryRegistry::new());
    let both = |name: &str| server(name).registry(book.clone()).registry(memory.clone());
    let running = [
        Running::start(both("a").announce_at("book:///who").announce_at("memory:///who")).await,
        Running::start(both("b").announce_at("book:///who")).await,
        Running::start(both("c").announce_at("memory:///who")).await,
    ];
    until(|| book.instances() == 2 && memory.instances("who").len() == 2).await;
    let client = || {
        let builder = Client::builder().registry(book.clone()).registry(memory.clone());
        builder
            .target("book:///who")
            .also("memory:///who")
            .balancer(RoundRobin::new())
            .build()
            .unwrap()
    };
    let early = client();
    assert!(early.discovery().iter().all(|view| !view.freshness.has_list()));
    until_ready(&early, 3).await;
    assert_eq!(tally(&early, 30).await.len(), 3);

    book.set_down(true);
    until(|| {
        matches!(
            early.endpoints().snapshot().freshness(),
            Freshness::Partial { .. }
        )
    })
    .await;
    assert_eq!(tally(&early, 30).await.len(), 3);
    let views = early.discovery();
    assert_eq!(views[0].target, "book:///who");
    assert!(
        matches!(views[0].freshness, Freshness::Stale { .. }),
        "{}",
        views[0]
    );
    assert!(matches!(views[1].freshness, Freshness::Live), "{}", views[1]);
    let snapshot = early.endpoints().snapshot();
    let fault = snapshot.freshness().fault().unwrap().to_string();
    assert_eq!(fault, "`book:///who`: the book is closed");

    // One that starts now has what the other registry lists, and the rest when the book is back.
    let late = client();
    until_ready(&late, 2).await;
    assert_eq!(tally(&late, 30).await.len(), 2);
    book.set_down(false);
    until_ready(&late, 3).await;
    until(|| matches!(early.endpoints().snapshot().freshness(), Freshness::Live)).await;
    assert_eq!(tally(&late, 30).await.len(), 3);
    for running in running {
        running.stop().await;
    }
}

#[test]
fn mistakes_name_the_method() {
    let first = || Client::builder().target("static://10.0.0.1:1");
    for (builder, field, expected) in [
        (first().also("static://10.0.0.1:1"), "also", "twice"),
        (first().also("local:///who"), "also", "stands alone"),
        (first().also("nowhere:///who"), "also", "scheme `nowhere`"),
        (first().also("10.0.0.2:1"), "also", "no scheme"),
        (first().also("memory:///who"), "registry", "memory:///who"),
        (
            Client::builder().also("static://10.0.0.1:1"),
            "target",
            "required",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.field(), field, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
