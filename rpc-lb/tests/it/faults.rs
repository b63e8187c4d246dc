//! Calls that are held up, or fail, by rule.

use std::time::Duration;

use rpc_core::{
    Code, Context, Deadline, Stage as _,
    matcher::{Condition, Matcher, Predicate},
    status::reason,
};
use rpc_lb::fault::{Abort, Delay, FaultLayer, FaultRule};
use tokio::time::Instant;
use tower_layer::Layer as _;

use crate::fleet::{Fleet, address, call, call_with};

fn when(value: &str) -> Matcher {
    Matcher::new([Condition::metadata("x-go", Predicate::equals(value))]).unwrap()
}

async fn fleet() -> (Fleet, Vec<Box<dyn rpc_registry::Registration>>) {
    let (fleet, registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    (fleet, registrations)
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_means_a_call_counts() {
    let (fleet, _registrations) = fleet().await;
    let layer = FaultLayer::new([
        FaultRule::new("slow", when("slow")).with_delay(Delay::new(Duration::from_secs(3))),
        FaultRule::new("both", when("both"))
            .with_delay(Delay::new(Duration::from_secs(2)))
            .with_abort(Abort::new(Code::Internal).with_message("on purpose")),
        FaultRule::new("never", when("both")).with_abort(Abort::new(Code::DataLoss)),
    ])
    .unwrap();
    let stage = layer.layer(&fleet.pick);
    let took = |start: Instant| start.elapsed();

    let start = Instant::now();
    stage.call(&mut call()).await.unwrap();
    assert_eq!(took(start), Duration::ZERO);

    let start = Instant::now();
    stage.call(&mut call_with("x-go", "slow")).await.unwrap();
    assert_eq!(took(start), Duration::from_secs(3));

    let start = Instant::now();
    let status = stage.call(&mut call_with("x-go", "both")).await.unwrap_err();
    assert_eq!(took(start), Duration::from_secs(2));
    assert_eq!((status.code(), status.message()), (Code::Internal, "on purpose"));
    assert_eq!(status.reason(), Some(reason::FAULT_INJECTED));
    assert!(status.was_processed(), "it looks as if the callee had failed");
    assert_eq!(fleet.transport.of(&address(0)).calls(), 2, "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn a_delay_ends_at_the_deadline() {
    let (fleet, _registrations) = fleet().await;
    let slow = FaultRule::new("slow", Matcher::every()).with_delay(Delay::new(Duration::from_secs(3)));
    let stage = FaultLayer::new([slow]).unwrap().layer(&fleet.pick);
    let mut call = call();
    call.context = Context::new().with_deadline(Deadline::after(Duration::from_secs(1)));
    let start = Instant::now();
    let status = stage.call(&mut call).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    // The timer has a granularity of a millisecond.
    assert!(
        (1000..1010).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(fleet.transport.of(&address(0)).calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn shares_are_drawn_for_each_attempt() {
    fastrand::seed(1);
    let (fleet, _registrations) = fleet().await;
    let rule = FaultRule::new("some", Matcher::every())
        .with_delay(Delay::new(Duration::from_secs(1)).with_percent(20.0))
        .with_abort(Abort::new(Code::Unavailable).with_percent(10.0));
    let stage = FaultLayer::new([rule]).unwrap().layer(&fleet.pick);
    let (mut failed, mut slow) = (0, 0);
    // The same call again and again: each is an attempt.
    let mut call = call();
    for _ in 0..10_000 {
        let start = Instant::now();
        failed += u32::from(stage.call(&mut call).await.is_err());
        slow += u32::from(!start.elapsed().is_zero());
    }
    assert!((900..1100).contains(&failed), "{failed}");
    assert!((1900..2100).contains(&slow), "{slow}");
}

#[test]
fn rules_are_read_and_checked() {
    let rule: FaultRule = serde_json::from_str(
        r#"{"name": "x", "when": [{"on": "lane", "exists": true}],
            "delay": {"time": "200ms", "percent": 10}, "abort": {"code": "NOT_FOUND"}}"#,
    )
    .unwrap();
    assert_eq!(
        rule.delay,
        Some(Delay::new(Duration::from_millis(200)).with_percent(10.0))
    );
    assert_eq!(rule.abort, Some(Abort::new(Code::NotFound)));

    let unread = |json: &str| serde_json::from_str::<FaultRule>(json).unwrap_err().to_string();
    assert!(unread(r#"{"name": "x", "abort": {"code": "OK"}}"#).contains("`OK` is no code of a failure"));
    assert!(unread(r#"{"name": "x", "delay": {"time": 200}}"#).contains("expected a string"));
    assert!(unread(r#"{"name": "x", "dely": {}}"#).contains("unknown field `dely`"));

    let error = |rule: FaultRule| FaultLayer::new([rule]).unwrap_err().to_string();
    let rule = || FaultRule::new("x", Matcher::every());
    assert_eq!(
        error(rule()),
        "`[0]`: does nothing: write `delay`, `abort` or both"
    );
    let long = Delay::new(Duration::from_hours(2));
    assert_eq!(
        error(rule().with_delay(long)),
        "`[0].delay.time`: write more than 0s, and at most 1h"
    );
    let often = Abort::new(Code::Internal).with_percent(101.0);
    assert_eq!(
        error(rule().with_abort(often)),
        "`[0].abort.percent`: write a number from 0 to 100"
    );
    assert!(error(rule().with_abort(Abort::new(Code::Ok))).contains("OK is no failure"));
}
