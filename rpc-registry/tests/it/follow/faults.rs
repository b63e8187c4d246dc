//! A registry that fails.

use std::time::Duration;

use async_trait::async_trait;
use rpc_registry::{Fault, FaultKind, Follow, Freshness, Resolver, Update, Watch};
use tokio::time::{Instant, timeout};

use super::support::{Client, instance};

#[tokio::test(start_paused = true)]
async fn a_row_of_faults_is_told_once() {
    let mut client = Client::new();
    client.list([1]);
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Live));
    let told = client.changes;
    for _ in 0..3 {
        client.away();
    }
    client.wait(Duration::from_mins(2)).await;
    assert!(matches!(client.freshness, Freshness::Stale { .. }));
    assert_eq!(client.changes, told + 1);
    assert_eq!(client.counts(), (1, 0), "the list stays");
    client.list([1]);
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Live));
    assert_eq!(client.changes, told + 2);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_another_kind_is_told_and_the_last_one_is_shown() {
    for is_live in [true, false] {
        let mut client = Client::new();
        if is_live {
            client.list([1]);
        }
        client.settle().await;
        let mut told = client.changes;
        let mut begun = None;
        for (fault, is_news) in [
            (Fault::transient("connection refused"), true),
            (Fault::new(FaultKind::Denied, "the password has expired"), true),
            (Fault::new(FaultKind::Denied, "the user is gone"), false),
            (Fault::transient("no leader"), true),
        ] {
            client.tell(Err(fault.clone()));
            client.wait(Duration::from_mins(1)).await;
            told += usize::from(is_news);
            assert_eq!(client.changes, told, "{fault}");
            let shown = client.follow.view().freshness;
            assert_eq!(shown.fault().unwrap().to_string(), fault.to_string());
            if let Freshness::Stale { since, .. } = shown {
                assert_eq!(*begun.get_or_insert(since), since, "it is one outage");
            }
        }
        assert_eq!(begun.is_some(), is_live);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_answer_may_be_waited_for_for_ever() {
    let mut client = Client::with(|config| {
        config.first_answer = Duration::MAX;
        config.settle = Duration::MAX;
    });
    client.wait(Duration::from_hours(24)).await;
    assert_eq!(client.changes, 0);
    client.list([1]);
    client.settle().await;
    assert_eq!(client.counts(), (1, 0));
    // And what follows is told together, at the end of all days.
    client.list([1, 2]);
    client.wait(Duration::from_hours(24)).await;
    assert_eq!(client.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn it_never_gives_up_and_pauses_at_most_30_seconds() {
    let mut client = Client::new();
    for _ in 0..1000 {
        client.away();
    }
    client.list([1]);
    let start = Instant::now();
    client.wait(Duration::from_millis(1)).await;
    assert!(
        matches!(client.freshness, Freshness::Unresolved(_)),
        "the first fault is told at once"
    );
    while client.sees.is_empty() {
        client.wait(Duration::from_mins(1)).await;
        assert!(start.elapsed() < 1001 * Duration::from_secs(30));
    }
    assert!(start.elapsed() > Duration::from_hours(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn giving_up_a_wait_loses_nothing() {
    let mut client = Client::new();
    for _ in 0..3 {
        client.away();
    }
    client.list([1]);
    client.settle().await;
    let mut waits = 0;
    let change = loop {
        match timeout(Duration::from_millis(10), client.follow.next()).await {
            Ok(change) => break change,
            Err(_) => waits += 1,
        }
    };
    assert_eq!(change.put.len(), 1);
    assert!(waits > 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_registry_is_told_of_after_five_seconds() {
    let mut client = Client::new();
    client.wait(Duration::from_millis(4900)).await;
    assert_eq!(client.changes, 0);
    client.wait(Duration::from_millis(200)).await;
    let fault = client.freshness.fault().expect("it says so").to_string();
    assert!(fault.contains("no answer within 5s"), "{fault}");
    client.list([1]);
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn lost_history_is_no_fault_and_costs_no_pause() {
    let mut client = Client::new();
    client.list([1, 2]);
    client.settle().await;
    client.tell(Err(Fault::new(FaultKind::Behind, "compacted")));
    client.list([1, 2, 3]);
    client.wait(Duration::from_millis(30)).await;
    assert_eq!(client.counts(), (3, 0));
    assert!(matches!(client.freshness, Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn history_that_is_lost_again_and_again_is_not_asked_for_in_a_loop() {
    for has_lists in [false, true] {
        let mut client = Client::new();
        client.list([1]);
        client.settle().await;
        let start = Instant::now();
        for _ in 0..20 {
            client.tell(Err(Fault::new(FaultKind::Behind, "compacted")));
            if has_lists {
                client.list([1]);
            }
        }
        client.list([1, 2]);
        while client.counts().0 < 2 && start.elapsed() < Duration::from_hours(1) {
            client.settle().await;
        }
        assert!(start.elapsed() > Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(matches!(client.freshness, Freshness::Live));
        // It is no row any more.
        client.wait(Duration::from_mins(2)).await;
        client.tell(Err(Fault::new(FaultKind::Behind, "compacted")));
        client.list([1, 2, 3]);
        client.wait(Duration::from_millis(30)).await;
        assert_eq!(client.counts(), (3, 0));
    }
}

/// Panics twice, then lists one instance.
struct Panics(u32);

impl Resolver for Panics {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Self(self.0))
    }
}

#[async_trait]
impl Watch for Panics {
    async fn next(&mut self) -> Result<Update, Fault> {
        if self.0 > 0 {
            self.0 -= 1;
            panic!("a test does this");
        }
        self.0 = u32::MAX;
        Ok(Update::Snapshot(vec![Ok(instance(1))]))
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_fault() {
    let mut follow = Follow::new(&Panics(2));
    let told = timeout(Duration::from_mins(2), async {
        loop {
            let change = follow.next().await;
            if !change.put.is_empty() {
                return change;
            }
        }
    });
    assert_eq!(told.await.expect("it is asked again").put.len(), 1);
    let fault = follow.next().await.freshness;
    assert_eq!(fault.fault().unwrap().to_string(), "the registry panicked");
}
