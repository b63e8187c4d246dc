//! What makes no sense, to clients or to the registry.

use std::time::Duration;

use rpc_registry::{Amendment, Fault, FaultKind, MemoryRegistry, Registry as _};
use tokio::time::sleep;

use super::{Leases, run, settle, shop};

#[tokio::test(start_paused = true)]
async fn what_clients_refuse_is_not_announced() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    running.handle.amend(&Amendment::new().with_weight(7));
    settle().await;
    for amendment in [
        Amendment::new().with_weight(2_000_000),
        Amendment::new().with_groups([""]),
        Amendment::new().with_groups(["vip,eu"]),
    ] {
        running.handle.amend(&amendment);
        settle().await;
        assert_eq!(registry.record(), Some(shop().with_weight(7)));
        assert_eq!(running.handle.instance(), shop().with_weight(7));
    }
    let memory = MemoryRegistry::new();
    let _registration = memory.announce("shop", &shop()).await.unwrap();
    let heavy = Amendment::new().with_weight(2_000_000);
    let by_operator = memory.amend("shop", &"shop-1".into(), &heavy).await;
    assert_eq!(by_operator.unwrap_err().kind(), FaultKind::Invalid);
    assert_eq!(memory.instances("shop"), [shop()]);
    let refused = run(&registry, shop().with_group(""), 1);
    refused.handle.set_healthy(true);
    let fault = refused.task.await.unwrap().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Invalid);
    assert!(fault.to_string().contains("`groups`"), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_ends_the_start_and_nothing_later() {
    let registry = Leases::default();
    let broken = |broken: Option<Fault>| registry.with(|state| state.broken = broken);
    broken(Some(Fault::invalid("weight", "too large")));
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    let fault = running.task.await.unwrap().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Invalid);

    // Away at first: the server serves by then.
    broken(Some(Fault::transient("no leader")));
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    broken(Some(Fault::invalid("weight", "too large")));
    sleep(Duration::from_mins(10)).await;
    broken(None);
    sleep(Duration::from_mins(1)).await;
    assert!(running.is_announced());

    broken(Some(Fault::invalid("weight", "too large")));
    registry.forget();
    sleep(Duration::from_mins(10)).await;
    broken(None);
    sleep(Duration::from_mins(1)).await;
    assert!(running.is_announced());
}
