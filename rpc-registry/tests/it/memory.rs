//! The embedded registry.

use rpc_registry::{
    FaultKind, Follow, Instance, InstanceState, MemoryRegistry, Registry as _, Update, Watch,
};

async fn snapshot(watch: &mut dyn Watch) -> Vec<String> {
    match watch.next().await.unwrap() {
        Update::Snapshot(instances) => instances
            .iter()
            .map(|record| record.as_ref().unwrap().id.to_string())
            .collect(),
        other => panic!("{other:?}"),
    }
}

async fn delta(watch: &mut dyn Watch) -> (Vec<String>, Vec<String>) {
    match watch.next().await.unwrap() {
        Update::Delta { put, gone } => (
            put.iter()
                .map(|record| record.as_ref().unwrap().id.to_string())
                .collect(),
            gone.iter().map(ToString::to_string).collect(),
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_watch_begins_with_all_and_goes_on_with_changes() {
    let memory = MemoryRegistry::new();
    let mut first = memory.announce("shop", &Instance::new("a")).await.unwrap();
    let mut watch = memory.resolver_of("shop").watch();
    assert_eq!(snapshot(&mut *watch).await, ["a"]);
    let mut second = memory
        .clone()
        .announce("shop", &Instance::new("b"))
        .await
        .unwrap();
    assert_eq!(delta(&mut *watch).await, (vec!["b".to_owned()], vec![]));
    second
        .amend(&Instance::new("b").with_state(InstanceState::Draining))
        .await
        .unwrap();
    first.withdraw().await.unwrap();
    assert_eq!(
        delta(&mut *watch).await,
        (vec!["b".to_owned()], vec!["a".to_owned()])
    );
    second.withdraw().await.unwrap();
    assert!(matches!(watch.next().await.unwrap(), Update::Absent));
    let _third = memory.announce("shop", &Instance::new("c")).await.unwrap();
    assert_eq!(delta(&mut *watch).await, (vec!["c".to_owned()], vec![]));
}

#[tokio::test]
async fn a_name_without_instances_is_absent() {
    let memory = MemoryRegistry::new();
    let _other = memory.announce("other", &Instance::new("a")).await.unwrap();
    let mut watch = memory.resolver_of("shop").watch();
    assert!(matches!(watch.next().await.unwrap(), Update::Absent));
    let _first = memory.announce("shop", &Instance::new("a")).await.unwrap();
    assert_eq!(delta(&mut *watch).await, (vec!["a".to_owned()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_not_told() {
    let memory = MemoryRegistry::new();
    let mut first = memory.announce("shop", &Instance::new("a")).await.unwrap();
    let mut watch = memory.resolver_of("shop").watch();
    assert_eq!(snapshot(&mut *watch).await, ["a"]);
    first.amend(&Instance::new("a")).await.unwrap();
    let silent = tokio::time::timeout(std::time::Duration::from_secs(1), watch.next()).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test]
async fn dropping_a_registration_takes_the_instance_out() {
    let memory = MemoryRegistry::new();
    drop(memory.announce("shop", &Instance::new("a")).await.unwrap());
    assert!(memory.instances("shop").is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_withdrawals_at_once_are_believed() {
    let memory = MemoryRegistry::new();
    let instance = |n| Instance::new(format!("i-{n}"));
    let mut registrations = Vec::new();
    for n in 0..10 {
        registrations.push(memory.announce("shop", &instance(n)).await.unwrap());
    }
    let mut follow = Follow::new(&*memory.resolver_of("shop"));
    assert_eq!(follow.next().await.put.len(), 10);
    for (n, mut registration) in registrations.drain(..9).enumerate() {
        let marked = instance(n).with_state(InstanceState::Draining);
        registration.amend(&marked).await.unwrap();
        registration.withdraw().await.unwrap();
    }
    let change = follow.next().await;
    assert_eq!((change.gone.len(), change.put.len()), (9, 0));
}

#[tokio::test]
async fn the_same_id_twice_is_the_same_instance() {
    let memory = MemoryRegistry::new();
    let mut old = memory
        .announce("shop", &Instance::new("a").with_weight(1))
        .await
        .unwrap();
    let _new = memory
        .announce("shop", &Instance::new("a").with_weight(2))
        .await
        .unwrap();
    assert_eq!(memory.instances("shop"), [Instance::new("a").with_weight(2)]);
    assert_eq!(
        old.amend(&Instance::new("a")).await.unwrap_err().kind(),
        FaultKind::Lost
    );
    old.withdraw().await.unwrap();
    assert_eq!(memory.instances("shop").len(), 1, "the later one stays");
}

#[tokio::test]
async fn an_id_cannot_be_amended() {
    let memory = MemoryRegistry::new();
    let mut first = memory.announce("shop", &Instance::new("a")).await.unwrap();
    let fault = first.amend(&Instance::new("b")).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Invalid);
    assert!(fault.to_string().contains("`id`"), "{fault}");
}
