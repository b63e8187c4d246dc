//! Several targets as one list.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rpc_registry::{
    BadRecord, DiskCache, Fault, FollowAll, FollowConfig, Freshness, Instance, InstanceState, MemoryRegistry,
    Record, Registry as _, Resolver, Source, Update, View, Viewer,
};
use tokio::{sync::mpsc::UnboundedSender, time::timeout};

use super::support::{Answer, Script, draining, id, instance};

/// A client of several targets, and what it sees.
struct Client {
    follow: FollowAll,
    /// State, and whether it is a suspect.
    sees: BTreeMap<String, (InstanceState, bool)>,
    freshness: Freshness,
    changes: usize,
}

impl Client {
    fn new(sources: &[Source]) -> Self {
        Self {
            follow: FollowAll::new(sources),
            sees: BTreeMap::new(),
            freshness: Freshness::Pending,
            changes: 0,
        }
    }

    async fn wait(&mut self, time: Duration) {
        let _ = timeout(time, async {
            loop {
                let change = self.follow.next().await;
                self.changes += 1;
                for id in &change.gone {
                    assert!(self.sees.remove(id.as_str()).is_some(), "`{id}` was not there");
                }
                for listed in change.put {
                    let id = listed.instance.id.to_string();
                    self.sees.insert(id, (listed.instance.state, listed.suspect));
                }
                self.freshness = change.freshness;
            }
        })
        .await;
    }

    async fn settle(&mut self) {
        self.wait(Duration::from_millis(100)).await;
    }

    fn ids(&self) -> Vec<&str> {
        self.sees.keys().map(String::as_str).collect()
    }

    fn suspects(&self) -> usize {
        self.sees.values().filter(|(_, suspect)| *suspect).count()
    }

    fn state(&self, n: usize) -> InstanceState {
        self.sees[id(n).as_str()].0
    }

    fn views(&self) -> Vec<View> {
        self.follow.viewers().iter().map(Viewer::view).collect()
    }

    fn fault(&self) -> String {
        self.freshness.fault().expect("a fault").to_string()
    }
}

/// A target whose registry says what it is told to.
struct Told(UnboundedSender<Answer>);

impl Told {
    fn list(&self, ids: impl IntoIterator<Item = usize>) {
        self.records(ids.into_iter().map(|n| Ok(instance(n))).collect());
    }

    fn records(&self, records: Vec<Record>) {
        self.0.send(Ok(Update::Snapshot(records))).unwrap();
    }

    fn absent(&self) {
        self.0.send(Ok(Update::Absent)).unwrap();
    }

    fn away(&self) {
        self.0.send(Err(Fault::transient("away"))).unwrap();
    }
}

fn source(target: &str, configure: impl FnOnce(&mut FollowConfig)) -> (Told, Source) {
    let (registry, script) = Script::new();
    let mut config = FollowConfig::default();
    config.seed = Some(1);
    configure(&mut config);
    let source = Source::new(target, Arc::new(script)).with_config(config);
    (Told(registry), source)
}

fn two() -> (Told, Told, Client) {
    let (a, first) = source("script:///a", |_| {});
    let (b, second) = source("script:///b", |_| {});
    (a, b, Client::new(&[first, second]))
}

#[tokio::test(start_paused = true)]
async fn lists_are_united_by_id() {
    let (a, b, mut client) = two();
    a.list([1, 2]);
    b.list([2, 3]);
    client.settle().await;
    assert_eq!(client.ids(), ["i-00001", "i-00002", "i-00003"]);
    assert!(matches!(client.freshness, Freshness::Live));
    let told = client.changes;
    a.list([1]);
    client.settle().await;
    assert_eq!((client.ids().len(), client.suspects()), (3, 0), "b lists 2 still");
    b.list([3]);
    client.settle().await;
    assert_eq!(client.ids(), ["i-00001", "i-00003"]);
    assert!(client.changes - told <= 2, "{}", client.changes - told);
}

#[tokio::test(start_paused = true)]
async fn embedded_registries_are_followed_together() {
    let (a, b) = (MemoryRegistry::new(), MemoryRegistry::new());
    let resolvers: [Arc<dyn Resolver>; 2] = [a.resolver_of("shop"), b.resolver_of("shop")];
    let [first, second] = resolvers.map(|resolver| Source::new("memory:///shop", resolver));
    let mut client = Client::new(&[first, second]);
    client.settle().await;
    assert!(client.sees.is_empty() && matches!(client.freshness, Freshness::Live));
    let _in_a = a.announce("shop", &instance(1)).await.unwrap();
    let mut in_b = b.announce("shop", &instance(1)).await.unwrap();
    let _only_b = b.announce("shop", &instance(2)).await.unwrap();
    client.settle().await;
    assert_eq!(client.ids(), ["i-00001", "i-00002"]);
    in_b.withdraw().await.unwrap();
    client.settle().await;
    assert_eq!(client.ids(), ["i-00001", "i-00002"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_away_or_silent_hides_nothing_and_is_named() {
    let (a, b, mut client) = two();
    b.list([1]);
    client.settle().await;
    assert_eq!(client.ids(), ["i-00001"], "a has not answered yet");
    assert!(matches!(client.freshness, Freshness::Partial { fault: None }));
    assert!(client.follow.is_awaited());
    a.away();
    client.settle().await;
    assert!(matches!(client.freshness, Freshness::Partial { fault: Some(_) }));
    assert_eq!(client.fault(), "`script:///a`: away");
    assert!(!client.follow.is_awaited());
    assert!(client.freshness.has_list());
    b.away();
    client.settle().await;
    assert_eq!(client.ids(), ["i-00001"]);
    assert!(
        matches!(client.freshness, Freshness::Stale { .. }),
        "{:?}",
        client.freshness
    );
    a.list([2]);
    b.list([1]);
    client.wait(Duration::from_mins(1)).await;
    assert_eq!(client.ids(), ["i-00001", "i-00002"]);
    assert!(matches!(client.freshness, Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn without_any_list_the_whole_waits_for_the_last_answer() {
    let (a, _b, mut client) = two();
    a.away();
    client.settle().await;
    assert!(
        matches!(client.freshness, Freshness::Pending),
        "{:?}",
        client.freshness
    );
    client.wait(Duration::from_secs(6)).await;
    assert!(
        matches!(client.freshness, Freshness::Unresolved(_)),
        "{:?}",
        client.freshness
    );
    assert_eq!(client.fault(), "`script:///a`: away");
}

#[tokio::test(start_paused = true)]
async fn each_holds_back_for_itself_and_none_for_what_another_lists() {
    let (a, b, mut client) = two();
    a.list(0..10);
    b.list(5..20);
    client.settle().await;
    a.absent();
    client.settle().await;
    // Of a's ten, five stand in b as well.
    assert_eq!((client.ids().len(), client.suspects()), (20, 5));
    let views = client.views();
    assert_eq!((views[0].listed, views[0].suspects), (0, 10));
    assert_eq!((views[1].listed, views[1].suspects), (15, 0));
    // Those that cannot be reached go at once; who is no suspect stays.
    client.follow.dismiss(&id(0));
    client.follow.dismiss(&id(7));
    client.settle().await;
    assert_eq!((client.ids().len(), client.suspects()), (19, 4));
    client.wait(Duration::from_mins(6)).await;
    assert_eq!((client.ids().len(), client.suspects()), (15, 0));
}

#[tokio::test(start_paused = true)]
async fn a_suspect_of_all_is_dismissed_in_all() {
    let (a, b, mut client) = two();
    a.list(0..4);
    b.list(0..4);
    client.settle().await;
    a.absent();
    b.absent();
    client.settle().await;
    assert_eq!((client.ids().len(), client.suspects()), (4, 4));
    client.follow.dismiss(&id(0));
    client.settle().await;
    assert_eq!(client.ids().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_mark_counts_wherever_it_stands_but_not_against_what_is_live() {
    let (a, b, mut client) = two();
    a.list([1]);
    b.records(vec![Ok(draining(1))]);
    client.settle().await;
    assert_eq!(client.state(1), InstanceState::Draining, "b's operator says so");
    b.away();
    client.settle().await;
    assert_eq!(
        client.state(1),
        InstanceState::Up,
        "b may have missed that it is up again"
    );
    a.records(vec![Ok(draining(1))]);
    b.list([1]);
    client.wait(Duration::from_mins(1)).await;
    assert_eq!(client.state(1), InstanceState::Draining);
    b.away();
    a.list([1]);
    client.settle().await;
    assert_eq!(client.state(1), InstanceState::Up);
}

#[tokio::test(start_paused = true)]
async fn each_has_its_own_list_on_disk_and_says_when_it_is_used() {
    let dir = std::env::temp_dir().join(format!(
        "rpc-several-{}-{:x}",
        std::process::id(),
        fastrand::u64(..)
    ));
    let cached = |target| source(target, |config| config.cache = Some(DiskCache::new(&dir)));
    let (a, first) = cached("script:///a");
    let (b, second) = cached("script:///b");
    let mut earlier = Client::new(&[first, second]);
    a.list([1, 2]);
    b.list([3]);
    let cache = DiskCache::new(&dir);
    let saved = async {
        while !(cache.file("script:///a").exists() && cache.file("script:///b").exists()) {
            earlier.settle().await;
        }
    };
    timeout(Duration::from_mins(10), saved)
        .await
        .expect("both are saved");

    let (a, first) = cached("script:///a");
    let (b, second) = cached("script:///b");
    let mut client = Client::new(&[first, second]);
    a.away();
    b.list([4]);
    // The disk takes its own time.
    let both = async {
        while client.sees.len() < 3 {
            client.settle().await;
        }
    };
    timeout(Duration::from_mins(10), both)
        .await
        .expect("the list on disk is used");
    assert_eq!(client.ids(), ["i-00001", "i-00002", "i-00004"]);
    assert!(matches!(client.freshness, Freshness::Partial { fault: Some(_) }));
    let [view_a, view_b] = &client.views()[..] else {
        panic!("two targets")
    };
    assert_eq!(view_a.target, "script:///a");
    assert!(matches!(view_a.freshness, Freshness::Disk { .. }) && view_a.told_at.is_none());
    assert!(view_a.freshness.age().unwrap() < Duration::from_hours(1));
    assert!(view_a.to_string().contains("from disk"), "{view_a}");
    assert!(matches!(view_b.freshness, Freshness::Live));
    assert_eq!(view_b.freshness.age(), Some(Duration::ZERO));
    assert!(view_b.told_at.is_some_and(|at| at <= SystemTime::now()));
    let _ = std::fs::remove_dir_all(&dir);
}

#[tokio::test(start_paused = true)]
async fn refused_records_are_shown_where_they_stand() {
    let (a, b, mut client) = two();
    let bad = |n| Err(BadRecord::new(id(n), Fault::invalid("weight", "is a colour")));
    a.records(vec![Ok(instance(1)), bad(9), bad(8)]);
    b.list([2]);
    client.settle().await;
    let shown = |client: &Client| {
        let views = client.views();
        let refused = views
            .iter()
            .map(|view| view.refused.iter().map(|bad| bad.id.to_string()));
        refused.map(Iterator::collect).collect::<Vec<Vec<_>>>()
    };
    assert_eq!(
        shown(&client),
        [vec!["i-00008".to_owned(), "i-00009".to_owned()], vec![]]
    );
    // It is shown though it changes nothing that is called.
    let told = client.changes;
    a.records(vec![Ok(instance(1)), bad(9)]);
    client.settle().await;
    assert_eq!(shown(&client), [vec!["i-00009".to_owned()], vec![]]);
    assert_eq!(client.changes, told);
    let sound = Instance::new(id(9)).with_address("grpc", "10.0.0.1:9".parse().unwrap());
    a.records(vec![Ok(instance(1)), Ok(sound)]);
    client.settle().await;
    assert_eq!(shown(&client), [Vec::<String>::new(), vec![]]);
    assert_eq!(client.ids().len(), 3);
}
