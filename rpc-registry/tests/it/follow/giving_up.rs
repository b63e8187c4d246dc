//! Somebody who waits for changes, and mostly gives up waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use rpc_registry::{
    Change, Fault, FollowAll, FollowConfig, Freshness, MemoryRegistry, Refresh, Registry, Resolver, Source,
    Update, Watch,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::support::instance;

/// A registry that takes its time for each answer, and begins anew for whoever gave up waiting. Its first answer is a list,
/// all others are faults.
#[derive(Clone, Default)]
struct Slow {
    asked: Arc<AtomicUsize>,
}

/// Longer than anybody below waits.
const SLOWNESS: Duration = Duration::from_secs(3);

struct Asked {
    registry: Slow,
    told: bool,
}

impl Resolver for Slow {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Asked {
            registry: self.clone(),
            told: false,
        })
    }
}

#[async_trait]
impl Watch for Asked {
    async fn next(&mut self) -> Result<Update, Fault> {
        self.registry.asked.fetch_add(1, Relaxed);
        sleep(SLOWNESS).await;
        if self.told {
            return Err(Fault::transient("no answer"));
        }
        self.told = true;
        Ok(Update::Snapshot(vec![Ok(instance(1))]))
    }
}

fn source(name: &str, resolver: Arc<dyn Resolver>) -> Source {
    let mut config = FollowConfig::default();
    config.seed = Some(1);
    Source::new(name, resolver).with_config(config)
}

/// Waits for 20 ms, again and again; says how long it took.
async fn impatiently(follow: &mut FollowAll) -> (Change, Duration) {
    let start = Instant::now();
    loop {
        if let Ok(change) = timeout(Duration::from_millis(20), follow.next()).await {
            return (change, start.elapsed());
        }
        assert!(start.elapsed() < 10 * SLOWNESS, "nothing is ever told");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchange_and_its_timeout_go_on() {
    let registry = Slow::default();
    let mut follow = FollowAll::new(&[source("slow:///shop", Arc::new(registry.clone()))]);
    let (change, took) = impatiently(&mut follow).await;
    assert_eq!(change.put.len(), 1);
    assert!(matches!(change.freshness, Freshness::Live));
    assert!(took < SLOWNESS + Duration::from_millis(100), "{took:?}");
    let (change, took) = impatiently(&mut follow).await;
    assert!(matches!(change.freshness, Freshness::Stale { .. }), "{change:?}");
    assert!(took < SLOWNESS + Duration::from_millis(100), "{took:?}");
    assert_eq!(registry.asked.load(Relaxed), 2, "each of them once");
}

#[tokio::test(start_paused = true)]
async fn one_of_several_is_not_asked_anew_because_another_one_tells() {
    let registry = Slow::default();
    let chatty = MemoryRegistry::new();
    let mut follow = FollowAll::new(&[
        source("memory:///shop", chatty.resolver_of("shop")),
        source("slow:///shop", Arc::new(registry.clone())),
    ]);
    let (mut put, mut announced) = (Vec::new(), Vec::new());
    for n in 0..30 {
        let registration = chatty.announce("shop", &instance(100 + n)).await;
        announced.push(registration.unwrap());
        let end = Instant::now() + SLOWNESS / 20;
        while let Ok(change) = timeout_at(end, follow.next()).await {
            put.extend(change.put);
        }
    }
    assert!(put.iter().any(|listed| *listed.instance == instance(1)));
}

/// Tells a list at once, and the next one when it is asked to refresh.
struct Refreshed;

struct Listening {
    refresh: Refresh,
    told: usize,
}

impl Resolver for Refreshed {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Listening {
            refresh: Refresh::new(),
            told: 0,
        })
    }
}

#[async_trait]
impl Watch for Listening {
    async fn next(&mut self) -> Result<Update, Fault> {
        if self.told > 0 {
            self.refresh.asked().await;
        }
        self.told += 1;
        Ok(Update::Snapshot(
            (0..self.told).map(|n| Ok(instance(n))).collect(),
        ))
    }

    fn listen(&mut self, refresh: Refresh) {
        self.refresh = refresh;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_connect_reaches_a_watch_that_waits() {
    let mut follow = FollowAll::new(&[source("refreshed:///shop", Arc::new(Refreshed))]);
    assert_eq!(impatiently(&mut follow).await.0.put.len(), 1);
    assert!(timeout(SLOWNESS, follow.next()).await.is_err());
    follow.refresh();
    let (change, took) = impatiently(&mut follow).await;
    assert_eq!(change.put.len(), 1);
    assert!(took < Duration::from_millis(100), "{took:?}");
}
