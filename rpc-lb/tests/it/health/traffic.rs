//! Endpoints that routers give different work.

use std::{sync::Arc, time::Duration};

use rpc_core::{
    Call,
    matcher::{Condition, Matcher, Predicate},
    status::Verdict,
};
use rpc_lb::{
    ConditionRouter, FixedEndpoints, Router, TagRouter,
    endpoint::InFlight,
    route::{TargetMatcher, condition::ConditionRule},
};
use tokio::time::Instant;

use crate::fleet::{call, call_with, in_turn, instance};

/// 20 instances of which four have a tag, and calls for ten seconds: quick ones, and slow ones with the tag.
fn worked(router: impl Router) -> FixedEndpoints {
    let instances: Vec<_> = (0..20)
        .map(|n| match n {
            0..16 => instance(n),
            _ => instance(n).with_metadata("dubbo.tag", "batch"),
        })
        .map(Arc::new)
        .collect();
    let mut config = in_turn();
    config.routers = vec![Arc::new(router)];
    let mut now = Instant::now();
    let mut endpoints = FixedEndpoints::new(&instances, config, now);
    for _ in 0..10 {
        for _ in 0..100 {
            make(&endpoints, &call(), now, Duration::from_millis(10));
        }
        for _ in 0..100 {
            make(&endpoints, &tagged(), now, Duration::from_millis(500));
        }
        now += FixedEndpoints::PERIOD;
        endpoints.tend(now);
    }
    endpoints
}

fn tagged() -> Call<'static> {
    call_with("dubbo.tag", "batch")
}

fn make(endpoints: &FixedEndpoints, call: &Call<'_>, now: Instant, took: Duration) {
    let picked = endpoints.pick(call, now, &[]).unwrap();
    InFlight::begin(picked.endpoint, picked.started).end(Verdict::Healthy, || now + took);
}

#[test]
fn a_tag_whose_calls_are_slow_by_nature_keeps_its_instances() {
    let endpoints = worked(TagRouter::new());
    let snapshot = endpoints.snapshot();
    assert_eq!(snapshot.subset_for(&tagged()).endpoints().len(), 4);
    assert_eq!(snapshot.subset_for(&call()).endpoints().len(), 16);
}

/// Sends requests with the tag to the instances that have it, and no others away from these.
fn tagged_there() -> ConditionRouter {
    let batch = TargetMatcher::new().with_metadata("dubbo.tag", Predicate::equals("batch"));
    let when = Matcher::new([Condition::metadata("dubbo.tag", Predicate::equals("batch"))]).unwrap();
    let rule = ConditionRule::to("batch", when, batch).unwrap();
    ConditionRouter::new([rule]).unwrap()
}

#[test]
fn so_do_those_that_a_rule_sends_slow_calls_beside_others() {
    let endpoints = worked(tagged_there());
    let snapshot = endpoints.snapshot();
    assert_eq!(snapshot.subset_for(&tagged()).endpoints().len(), 4);
    assert_eq!(snapshot.subset_for(&call()).endpoints().len(), 20);
}

#[test]
fn one_request_of_its_own_does_not_set_an_endpoint_apart_for_ever() {
    let mut config = in_turn();
    config.routers = vec![Arc::new(tagged_there())];
    let instances = [0, 1, 2, 3].map(|n| match n {
        0 => Arc::new(instance(0).with_metadata("dubbo.tag", "batch")),
        n => Arc::new(instance(n)),
    });
    let mut now = Instant::now();
    let mut endpoints = FixedEndpoints::new(&instances, config, now);
    let snapshot = endpoints.snapshot();
    make(&endpoints, &tagged(), now, Duration::from_millis(10));
    let odd = snapshot.subset_for(&tagged()).endpoints()[0].address().clone();
    let mut ejected_after = None;
    for second in 1..100 {
        for _ in 0..100 {
            let picked = endpoints.pick(&call(), now, &[]).unwrap();
            let is_odd = *picked.endpoint.address() == odd;
            let took = Duration::from_millis(if is_odd { 500 } else { 10 });
            InFlight::begin(picked.endpoint, picked.started).end(Verdict::Healthy, || now + took);
        }
        now += FixedEndpoints::PERIOD;
        endpoints.tend(now);
        let well = endpoints.snapshot().subset_for(&call()).endpoints().len();
        if well < 4 && ejected_after.is_none() {
            ejected_after = Some(second);
        }
    }
    // Compared with itself alone for as long as its own calls may be under way, and no longer.
    assert!(matches!(ejected_after, Some(60..70)), "{ejected_after:?}");
}
