//! Two providers of one id at the same time.

use std::{
    slice,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rpc_registry::{
    AnnounceConfig, AnnounceState, Announcer, Fault, FaultKind, Instance, InstanceHandle, MemoryRegistry,
    Place,
};
use tokio::{task::JoinHandle, time::sleep};

use super::{Leases, run, settle, shop};

struct Provider {
    instance: Instance,
    handle: InstanceHandle,
    state: tokio::sync::watch::Receiver<AnnounceState>,
    task: JoinHandle<Result<(), Fault>>,
}

impl Provider {
    /// One that says when it started, if it does.
    fn start(memory: &MemoryRegistry, zone: &str, started: Option<u64>) -> Self {
        let mut instance = shop().with_zone(zone);
        instance.started_at = started.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let handle = InstanceHandle::new(instance.clone());
        handle.set_healthy(true);
        let place = Place::new(Arc::new(memory.clone()), "shop");
        let announcer = Announcer::new(place, &handle, AnnounceConfig::default());
        Self {
            instance,
            handle,
            state: announcer.state(),
            task: tokio::spawn(announcer.run()),
        }
    }

    fn is_superseded(&self) -> bool {
        matches!(&*self.state.borrow(), AnnounceState::Away(fault) if fault.kind() == FaultKind::Superseded)
    }

    #[track_caller]
    fn is_listed_alone(&self, memory: &MemoryRegistry) {
        assert_eq!(memory.instances("shop"), slice::from_ref(&self.instance));
    }

    async fn stop(self) {
        self.handle.withdraw();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_started_later_keeps_the_record_and_the_other_waits_until_it_is_gone() {
    for (old, new) in [
        (Some(1), Some(2)),
        (Some(1), Some(1)),
        (None, Some(1)),
        (None, None),
    ] {
        let memory = MemoryRegistry::new();
        let old = Provider::start(&memory, "old", old);
        sleep(Duration::from_secs(1)).await;
        let new = Provider::start(&memory, "new", new);
        for _ in 0..120 {
            sleep(Duration::from_secs(1)).await;
            new.is_listed_alone(&memory);
        }
        assert!(old.is_superseded());
        new.stop().await;
        assert!(memory.instances("shop").is_empty());
        sleep(Duration::from_secs(34)).await;
        old.is_listed_alone(&memory);

        let newer = Provider::start(&memory, "newer", Some(3));
        sleep(Duration::from_mins(2)).await;
        old.stop().await;
        newer.is_listed_alone(&memory);
    }
}

#[tokio::test(start_paused = true)]
async fn where_clocks_disagree_one_of_both_keeps_the_record_nevertheless() {
    let memory = MemoryRegistry::new();
    let ahead = Provider::start(&memory, "ahead", Some(60));
    sleep(Duration::from_secs(1)).await;
    let new = Provider::start(&memory, "new", Some(1));
    sleep(Duration::from_mins(1)).await;
    for _ in 0..120 {
        sleep(Duration::from_secs(1)).await;
        ahead.is_listed_alone(&memory);
    }
    ahead.stop().await;
    sleep(Duration::from_secs(34)).await;
    new.is_listed_alone(&memory);
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_and_cannot_be_read_any_more_is_announced_again() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.unreadable = Some(Fault::transient("the session is over")));
    registry.forget();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(registry.record(), Some(shop()));
}
