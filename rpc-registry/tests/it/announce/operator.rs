//! What operators make of an instance while its provider announces it.

use std::{sync::Arc, time::Duration};

use rpc_registry::{
    Amendment, AnnounceConfig, Announcer, Fault, FaultKind, Instance, InstanceHandle, InstanceState,
    MemoryRegistry, Place, Registry as _,
};
use tokio::time::sleep;

use super::{Leases, run, settle, shop};

#[tokio::test(start_paused = true)]
async fn what_an_operator_changes_stays_also_after_a_loss() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    let operator = |amendment: Amendment| {
        let registry = registry.clone();
        async move {
            registry
                .amend("shop", &"shop-1".into(), &amendment)
                .await
                .unwrap();
        }
    };
    operator(Amendment::new().with_state(InstanceState::Disabled)).await;
    sleep(Duration::from_mins(2)).await;
    // The provider goes on changing what it likes, but it stays disabled.
    running.handle.amend(&Amendment::new().with_weight(7));
    sleep(Duration::from_mins(1)).await;
    registry.forget();
    sleep(Duration::from_secs(20)).await;
    let record = registry.record().unwrap();
    assert_eq!(record.state, InstanceState::Disabled);
    assert!(record.metadata.contains_key(Instance::OPERATOR));
    operator(Amendment::new().with_state(InstanceState::Up)).await;
    sleep(Duration::from_mins(1)).await;
    let record = registry.record().unwrap();
    assert_eq!((record.state, record.weight), (InstanceState::Up, 7));
    assert!(!record.metadata.contains_key(Instance::OPERATOR));
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_does_not_change_remains_its_owners() {
    for (amendment, once_healthy, while_not) in [
        (
            Amendment::new().with_weight(5),
            (InstanceState::Up, 5),
            (InstanceState::Disabled, 5),
        ),
        // Also if it is shown so already.
        (
            Amendment::new().with_state(InstanceState::Disabled),
            (InstanceState::Disabled, 100),
            (InstanceState::Disabled, 100),
        ),
    ] {
        for was_healthy in [true, false] {
            let registry = Leases::default();
            let running = run(&registry, shop(), 1);
            running.handle.set_healthy(true);
            settle().await;
            running.handle.set_healthy(was_healthy);
            settle().await;
            registry
                .amend("shop", &"shop-1".into(), &amendment)
                .await
                .unwrap();
            sleep(Duration::from_mins(1)).await;
            for (is_healthy, expected) in [(true, once_healthy), (false, while_not)] {
                running.handle.set_healthy(is_healthy);
                settle().await;
                let record = registry.record().unwrap();
                assert_eq!((record.state, record.weight), expected, "{amendment:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn several_changes_of_operators_and_marks_of_other_tools_stay() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    let disabled = Amendment::new().with_state(InstanceState::Disabled);
    for amendment in [&disabled, &Amendment::new().with_weight(5)] {
        registry.amend("shop", &"shop-1".into(), amendment).await.unwrap();
    }
    running
        .handle
        .amend(&Amendment::new().with_weight(7).with_groups(["vip"]));
    sleep(Duration::from_mins(1)).await;
    let record = registry.record().unwrap();
    assert_eq!((record.state, record.weight), (InstanceState::Disabled, 5));
    assert_eq!(&*record.groups[0], "vip");
    assert_eq!(record.metadata[Instance::OPERATOR], "state,weight");
    registry.with(|state| {
        *state.record.as_mut().unwrap() = shop().with_weight(6).with_metadata(Instance::OPERATOR, "1");
    });
    sleep(Duration::from_mins(1)).await;
    let record = registry.record().unwrap();
    assert_eq!((record.weight, record.groups.len()), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn an_amendment_does_not_undo_what_an_operator_has_just_done() {
    let disabled = Amendment::new().with_state(InstanceState::Disabled);
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.amend("shop", &"shop-1".into(), &disabled).await.unwrap();
    // Long before the record would be read back.
    running.handle.amend(&Amendment::new().with_weight(7));
    settle().await;
    running.handle.set_healthy(false);
    settle().await;
    running.handle.set_healthy(true);
    settle().await;
    let record = registry.record().unwrap();
    assert_eq!(record.state, InstanceState::Disabled);
    assert!(record.metadata.contains_key(Instance::OPERATOR));
    let enabled = Amendment::new().with_state(InstanceState::Up);
    registry.amend("shop", &"shop-1".into(), &enabled).await.unwrap();
    sleep(Duration::from_secs(40)).await;
    let record = registry.record().unwrap();
    assert_eq!((record.state, record.weight), (InstanceState::Up, 7));

    let memory = MemoryRegistry::new();
    let handle = InstanceHandle::new(shop());
    let place = Place::new(Arc::new(memory.clone()), "shop");
    let _task = tokio::spawn(Announcer::new(place, &handle, AnnounceConfig::default()).run());
    handle.set_healthy(true);
    settle().await;
    memory.amend("shop", &"shop-1".into(), &disabled).await.unwrap();
    handle.amend(&Amendment::new().with_weight(7));
    settle().await;
    assert_eq!(memory.instances("shop")[0].state, InstanceState::Disabled);
    // As it was written before: it is known nevertheless that nobody wants it disabled any more.
    memory.amend("shop", &"shop-1".into(), &enabled).await.unwrap();
    sleep(Duration::from_secs(40)).await;
    assert_eq!(memory.instances("shop"), [shop().with_weight(7)]);
}

#[tokio::test(start_paused = true)]
async fn an_amendment_waits_for_a_record_that_cannot_be_read_unless_it_never_can() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    let unreadable = |fault| registry.with(|state| state.unreadable = fault);
    unreadable(Some(Fault::transient("no leader")));
    let disabled = Amendment::new().with_state(InstanceState::Disabled);
    registry.amend("shop", &"shop-1".into(), &disabled).await.unwrap();
    running.handle.amend(&Amendment::new().with_weight(7));
    sleep(Duration::from_mins(1)).await;
    unreadable(None);
    sleep(Duration::from_secs(40)).await;
    assert_eq!(registry.record().unwrap().state, InstanceState::Disabled);
    let enabled = Amendment::new().with_state(InstanceState::Up);
    registry.amend("shop", &"shop-1".into(), &enabled).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(registry.record(), Some(shop().with_weight(7)));

    unreadable(Some(Fault::new(FaultKind::Denied, "write only")));
    running.handle.amend(&Amendment::new().with_weight(9));
    settle().await;
    assert_eq!(registry.record(), Some(shop().with_weight(9)));
}
