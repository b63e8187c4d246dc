//! An endpoint that is on several lists is compared with those of each.

use std::{sync::Arc, time::Duration};

use rpc_core::{
    matcher::{Condition, Matcher, Predicate},
    status::Verdict,
};
use rpc_lb::{
    Balancer, ConditionRouter, EndpointsConfig, FixedEndpoints,
    balance::{P2c, Prequal, ShortestResponse, Smart},
    endpoint::InFlight,
    route::{TargetMatcher, condition::ConditionRule},
};
use rpc_registry::Instance;
use tokio::time::Instant;

use crate::fleet::{call, call_with, instance};

/// The one that is on both lists.
const SHARED: usize = 2;

/// Instances 0 to 2 for most calls, 2 and 3 for those that say so. Each has answered as `took` says, in milliseconds, and at the
/// shared one some are under way. How many of a hundred calls that say so get there.
fn share(balancer: impl Balancer, took: [Option<u64>; 4], under_way: usize) -> usize {
    let of = |n: usize| match n {
        0 | 1 => instance(n).with_metadata("many", "yes"),
        SHARED => instance(n)
            .with_metadata("many", "yes")
            .with_metadata("few", "yes"),
        _ => instance(n).with_metadata("few", "yes"),
    };
    let instances: Vec<_> = (0..4).map(of).map(Arc::<Instance>::new).collect();
    let to = |key: &str| TargetMatcher::new().with_metadata(key, Predicate::equals("yes"));
    let few = Matcher::new([Condition::metadata("x-few", Predicate::equals("yes"))]).unwrap();
    let rules = [
        ConditionRule::to("few", few, to("few")).unwrap(),
        ConditionRule::to("many", Matcher::every(), to("many")).unwrap(),
    ];
    let mut config = EndpointsConfig::default();
    config.balancer = Arc::new(balancer);
    config.routers = vec![Arc::new(ConditionRouter::new(rules).unwrap())];
    let start = Instant::now();
    let mut endpoints = FixedEndpoints::new(&instances, config, start);
    let few = call_with("x-few", "yes");
    for call in [&few, &call()] {
        let _ = endpoints.pick(call, start, &[]).unwrap();
    }
    let now = start + FixedEndpoints::PERIOD;
    for (endpoint, took) in endpoints.endpoints().iter().zip(took) {
        if let Some(took) = took.map(Duration::from_millis) {
            let call = InFlight::begin(&**endpoint, Some(now.checked_sub(took).unwrap()));
            call.end(Verdict::Healthy, || now);
        }
    }
    endpoints.tend(now);
    let shared = &endpoints.endpoints()[SHARED];
    let _under_way: Vec<_> = (0..under_way).map(|_| InFlight::begin(&**shared, None)).collect();
    let picks = (0..100).map(|_| endpoints.pick(&few, now, &[]).unwrap());
    picks
        .filter(|picked| Arc::ptr_eq(&picked.endpoint, shared))
        .count()
}

#[test]
fn how_much_slower_one_is_depends_on_those_that_it_is_picked_from() {
    // Four times as slow is worse than busy, however fast others are.
    let took = [Some(1), Some(1), Some(200), Some(900)];
    assert_eq!(share(Smart::default().with_seed(1), took, 1), 100);
    assert_eq!(share(ShortestResponse::default().with_seed(1), took, 1), 100);
}

#[test]
fn one_without_a_history_is_as_those_are_that_it_is_picked_from() {
    let took = [Some(200), Some(200), None, Some(1)];
    for share in [
        share(Smart::default().with_seed(1), took, 0),
        share(ShortestResponse::default().with_seed(1), took, 0),
        share(P2c::new().with_seed(1), took, 0),
        share(Prequal::default().with_seed(1), took, 0),
    ] {
        assert!((30..=70).contains(&share), "{share}");
    }
}
