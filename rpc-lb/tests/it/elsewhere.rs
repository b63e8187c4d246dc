//! A call that an endpoint refused without having begun on it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rpc_core::{Body, Code, Stage as _, Status, status::reason, transport::LinkState};
use tokio::time::timeout;

use crate::fleet::{FakeTransport, Fleet, address, call, in_process, instance, refusal, settle};
use rpc_lb::{EndpointsConfig, Near};

async fn two() -> Fleet {
    let (fleet, registrations) = Fleet::new().with(2).await;
    // Withdrawing is not what these tests are about.
    Box::leak(Box::new(registrations));
    fleet.until_ready(2).await;
    fleet
}

/// What a server says that does not have the service.
fn unknown() -> Status {
    Status::unimplemented("not offered here")
        .with_reason(reason::SERVICE_UNKNOWN)
        .with_domain(reason::DOMAIN)
        .not_processed()
}

fn calls(fleet: &Fleet) -> [usize; 2] {
    [0, 1].map(|n| fleet.transport.of(&address(n)).calls())
}

#[tokio::test(start_paused = true)]
async fn goes_to_another() {
    let fleet = two().await;
    fleet.transport.of(&address(0)).refuse();
    for _ in 0..10 {
        assert_eq!(fleet.call().await.unwrap().peer.unwrap().to_string(), address(1));
    }
    assert_eq!(calls(&fleet)[1], 10);
}

/// Who answers calls, where the first of the near ones does not know the service.
async fn answering(near: Near) -> HashSet<String> {
    let mut config = EndpointsConfig::default();
    config.near = near;
    let (fleet, _registrations) = Fleet::routed(FakeTransport::default(), config).with(4).await;
    fleet.until_ready(4).await;
    fleet.transport.of("local:i-0").behave(|_| Err(unknown()));
    fleet.tally(100).await.into_keys().collect()
}

#[tokio::test(start_paused = true)]
async fn goes_farther_only_where_no_other_is_as_near() {
    let far = answering(in_process(["i-0"])).await;
    assert_eq!(far, [1, 2, 3].map(address).into());
    let near = answering(in_process(["i-0", "i-1"])).await;
    assert_eq!(near, ["local:i-1".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn goes_farther_by_weight() {
    let mut config = EndpointsConfig::default();
    config.near = in_process(["i-0"]);
    let fleet = Fleet::routed(FakeTransport::default(), config);
    let mut announced = Vec::new();
    for (n, weight) in [(0, 100), (1, 0), (2, 300), (3, 100)] {
        announced.push(fleet.announce(&instance(n).with_weight(weight)).await);
    }
    fleet.until_ready(4).await;
    fleet.transport.of("local:i-0").behave(|_| Err(unknown()));
    let tally = fleet.tally(1_000).await;
    assert_eq!(tally.len(), 2, "none without a weight: {tally:?}");
    let share = tally[&address(2)];
    assert!((650..850).contains(&share), "three quarters: {share}");
}

#[tokio::test(start_paused = true)]
async fn goes_once() {
    let fleet = two().await;
    fleet.transport.of(&address(0)).refuse();
    fleet.transport.of(&address(1)).refuse();
    let status = fleet.call().await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::DRAINING));
    assert_eq!(calls(&fleet), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn stays_if_there_is_no_other() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    fleet.transport.of(&address(0)).refuse();
    let status = fleet.call().await.unwrap_err();
    assert_eq!(
        status.reason(),
        Some(reason::DRAINING),
        "what the endpoint said, not that there is no other"
    );
    assert_eq!(fleet.transport.of(&address(0)).calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_or_is_overload_stays() {
    let begun = || Status::unavailable("lost");
    let overload = || Status::unavailable("full").not_processed().overload();
    let pushed_back = || {
        Status::unavailable("later")
            .not_processed()
            .with_pushback(Duration::from_secs(1))
    };
    let forbidden = || Status::unavailable("no").not_processed().without_retry();
    let exhausted = || Status::resource_exhausted("quota").not_processed();
    let theirs = || {
        Status::unimplemented("not yet")
            .not_processed()
            .with_reason(reason::METHOD_UNKNOWN)
    };
    for status in [begun, overload, pushed_back, forbidden, exhausted, theirs] as [fn() -> Status; 6] {
        let fleet = two().await;
        for n in 0..2 {
            fleet.transport.of(&address(n)).behave(move |_| Err(status()));
        }
        assert_eq!(fleet.call().await.unwrap_err().code(), status().code());
        assert_eq!(calls(&fleet).iter().sum::<usize>(), 1, "{}", status());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_service_is_tried_elsewhere() {
    let fleet = two().await;
    fleet.transport.of(&address(0)).behave(|_| Err(unknown()));
    fleet.tally(10).await;
    assert_eq!(calls(&fleet)[1], 10);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_gone_cannot_be_sent_again() {
    let fleet = two().await;
    for n in 0..2 {
        fleet.transport.of(&address(n)).behave(|call| {
            call.body = Body::Empty;
            Err(refusal())
        });
    }
    assert_eq!(fleet.call().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(calls(&fleet).iter().sum::<usize>(), 1);
}

#[tokio::test(start_paused = true)]
async fn waits_for_one_that_connects() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    let [first, second] = [0, 1].map(|n| fleet.transport.of(&address(n)));
    first.refuse();
    first.set(LinkState::Ready);
    fleet.until_ready(1).await;
    let mut call = call();
    let mut answer = std::pin::pin!(fleet.pick.call(&mut call));
    assert!(
        timeout(Duration::from_secs(1), &mut answer).await.is_err(),
        "the other may still come"
    );
    second.set(LinkState::Ready);
    let reply = timeout(Duration::from_secs(1), answer).await.unwrap().unwrap();
    assert_eq!(reply.peer.unwrap().to_string(), address(1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ready_waits_out_a_restart() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(1).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 1).await;
    let link = fleet.transport.of(&address(0));
    link.set(LinkState::Ready);
    link.refuse();
    fleet.until_ready(1).await;
    let fleet = Arc::new(fleet);
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.set(LinkState::Failing(Status::unavailable("refused")));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    assert_eq!(link.calls(), 1, "nothing is sent while nothing changes");
    link.behave(|_| Ok(()));
    link.set(LinkState::Ready);
    timeout(Duration::from_secs(1), waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ready_tries_each_once_per_change() {
    let fleet = Arc::new(two().await);
    for n in 0..2 {
        fleet.transport.of(&address(n)).refuse();
    }
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(calls(&fleet), [1, 1]);
    // Another instance is news: those that refused are asked again.
    let _third = fleet.announce(&instance(2)).await;
    timeout(Duration::from_secs(1), waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(calls(&fleet).iter().sum::<usize>() <= 4);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ready_does_not_wait_for_a_service_that_nobody_has() {
    let fleet = two().await;
    for n in 0..2 {
        fleet.transport.of(&address(n)).behave(|_| Err(unknown()));
    }
    let status = timeout(Duration::from_secs(1), fleet.call_waiting(true))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(calls(&fleet), [1, 1]);
    // Nor does he where there is only one.
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    let link = fleet.transport.of(&address(0));
    link.behave(|_| Err(unknown()));
    let status = timeout(Duration::from_secs(1), fleet.call_waiting(true))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!((status.code(), link.calls()), (Code::Unimplemented, 1));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_one_does_not_have_is_not_waited_for_at_one_that_connects() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    let link = fleet.transport.of(&address(0));
    link.behave(|_| Err(unknown()));
    link.set(LinkState::Ready);
    fleet.until_ready(1).await;
    for wait in [false, true] {
        let answer = timeout(Duration::from_secs(1), fleet.call_waiting(wait)).await;
        assert_eq!(answer.unwrap().unwrap_err().code(), Code::Unimplemented);
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_during_an_attempt_is_not_waited_for_again() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    let link = fleet.transport.of(&address(0));
    link.refuse();
    link.delay(Duration::from_secs(5));
    let fleet = Arc::new(fleet);
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(drop) }
    });
    settle().await;
    assert_eq!(link.calls(), 1);
    // Before the refusal is there, the connection is lost and made anew.
    link.set(LinkState::Connecting);
    fleet.until_ready(0).await;
    link.behave(|_| Ok(()));
    link.set(LinkState::Ready);
    fleet.until_ready(1).await;
    assert!(!waiting.is_finished());
    timeout(Duration::from_mins(1), waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(link.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ready_does_not_wait_at_one_that_died() {
    let fleet = two().await;
    // The snapshot does not say so yet.
    fleet
        .transport
        .of(&address(0))
        .set(LinkState::Failing(Status::unavailable("refused")));
    let reply = timeout(Duration::from_secs(1), fleet.call_waiting(true))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reply.peer.unwrap().to_string(), address(1));
    assert_eq!(calls(&fleet), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_waiting_for_ready_when_it_is_made_again() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    fleet.transport.of(&address(0)).delay(Duration::from_secs(5));
    let mut call = call();
    call.options.wait_for_ready = Some(true);
    let given_up = timeout(Duration::from_secs(1), fleet.pick.call(&mut call)).await;
    assert!(given_up.is_err());
    assert_eq!(call.options.wait_for_ready, Some(true));
    fleet.pick.call(&mut call).await.unwrap();
    assert_eq!(call.options.wait_for_ready, Some(true));
}
