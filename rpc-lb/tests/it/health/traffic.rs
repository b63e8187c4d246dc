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

#[test]
fn so_do_those_that_a_rule_sends_slow_calls_beside_others() {
    let batch = TargetMatcher::new().with_metadata("dubbo.tag", Predicate::equals("batch"));
    let when = Matcher::new([Condition::metadata("dubbo.tag", Predicate::equals("batch"))]).unwrap();
    let rule = ConditionRule::to("batch", when, batch).unwrap();
    let endpoints = worked(ConditionRouter::new([rule]).unwrap());
    let snapshot = endpoints.snapshot();
    assert_eq!(snapshot.subset_for(&tagged()).endpoints().len(), 4);
    assert_eq!(snapshot.subset_for(&call()).endpoints().len(), 20);
}
