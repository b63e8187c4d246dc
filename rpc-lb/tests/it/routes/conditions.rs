//! Rules that send requests somewhere.

use rpc_core::{
    matcher::{Condition, Matcher, Predicate, Subject},
    status::reason,
};
use rpc_lb::{
    ConditionRouter,
    route::{
        Destination, TargetMatcher,
        condition::{ConditionRule, Owner},
    },
};
use rpc_registry::Instance;

use super::fleet;
use crate::fleet::{address, call, call_with, instance};

fn when(key: &str, value: &str) -> Matcher {
    Matcher::new([Condition::metadata(key, Predicate::equals(value))]).unwrap()
}

fn zone(zone: &str) -> TargetMatcher {
    TargetMatcher::new().with_zone(Predicate::equals(zone))
}

fn to(name: &str, when: Matcher, to: TargetMatcher) -> ConditionRule {
    ConditionRule::to(name, when, to).unwrap()
}

fn router(rules: impl IntoIterator<Item = ConditionRule>) -> ConditionRouter {
    ConditionRouter::new(rules).unwrap()
}

/// 0 and 1 in zone a, versions 1 and 2; 2 and 3 in zone b, versions 1 and 2.
fn instances() -> Vec<Instance> {
    let of = |n: usize| {
        let zone = if n < 2 { "a" } else { "b" };
        instance(n)
            .with_zone(zone)
            .with_version(if n.is_multiple_of(2) { "1" } else { "2" })
    };
    (0..4).map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_matches_counts() {
    let rules = [
        to("low", when("x-user", "7"), zone("b")).with_priority(-1),
        to("first", when("x-user", "7"), zone("a")),
        to("second", when("x-user", "7"), zone("b")),
    ];
    let (fleet, _registrations) = fleet(router(rules), instances()).await;
    for _ in 0..8 {
        let went = fleet.answers(&mut call_with("x-user", "7")).await.unwrap();
        assert!([address(0), address(1)].contains(&went), "{went}");
    }
    let plain = fleet.tally(8).await;
    assert_eq!(plain.len(), 4, "requests that no rule means go anywhere");
    let subset = fleet.endpoints.snapshot().subset_for(&call_with("x-user", "7"));
    assert_eq!(subset.steps()[0].reason.as_deref(), Some("rule `first`"));
}

#[tokio::test(start_paused = true)]
async fn a_search_may_go_on_and_each_owner_has_its_own() {
    let version = |version: &str| TargetMatcher::new().with_version(Predicate::equals(version));
    let rules = [
        to("mine", when("x-user", "7"), version("2")).with_go_on(true),
        to("mine too", Matcher::every(), version("1")),
        // It comes first, and the caller's rules choose among what it leaves.
        to("theirs", when("x-user", "7"), zone("b")).with_owner(Owner::Target),
        to("not any more", when("x-user", "7"), zone("a")).with_owner(Owner::Target),
    ];
    let (fleet, _registrations) = fleet(router(rules), instances()).await;
    for _ in 0..4 {
        assert_eq!(
            fleet.answers(&mut call_with("x-user", "7")).await.unwrap(),
            address(3)
        );
    }
    let subset = fleet.endpoints.snapshot().subset_for(&call_with("x-user", "7"));
    assert_eq!(
        subset.steps()[0].reason.as_deref(),
        Some("rule `theirs`; rule `mine`; rule `mine too`: passed over, as nobody fits")
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_left_depends_on_force() {
    let rules = [
        to("weak", when("x-go", "weak"), zone("c")),
        to("strong", when("x-go", "strong"), zone("c")).with_force(true),
        ConditionRule::deny("blocked", when("x-go", "blocked")),
    ];
    let (fleet, _registrations) = fleet(router(rules), instances()).await;
    assert!(fleet.answers(&mut call_with("x-go", "weak")).await.is_ok());
    for (go, why) in [
        ("strong", "rule `strong`: nobody fits, and it is forced"),
        ("blocked", "rule `blocked` denies it"),
    ] {
        let nobody = fleet.answers(&mut call_with("x-go", go)).await.unwrap_err();
        assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
        assert!(nobody.message().contains(why), "{nobody}");
        assert!(
            nobody.message().contains("router `condition` left none of 4"),
            "{nobody}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_passed_over_leaves_it_to_the_next() {
    let version = |version: &str| TargetMatcher::new().with_version(Predicate::equals(version));
    let rules = [
        to("beta", when("x-user", "7"), version("3")),
        to("old", when("x-old", "1"), version("1")),
        ConditionRule::deny("rest", Matcher::every()),
        to("beyond it", Matcher::every(), version("2")),
    ];
    let (fleet, _registrations) = fleet(router(rules), instances()).await;
    let nobody = fleet.answers(&mut call_with("x-user", "7")).await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    let why = "rule `beta`: passed over, as nobody fits; rule `rest` denies it";
    assert!(nobody.message().contains(why), "{nobody}");

    let mut both = call_with("x-user", "7");
    both.metadata.insert("x-old", "1").unwrap();
    let went = fleet.answers(&mut both).await.unwrap();
    assert!([address(0), address(2)].contains(&went), "{went}");

    // Once somebody fits, the search ends there.
    let _beta = fleet.announce(&instance(4).with_version("3")).await;
    fleet.until_ready(5).await;
    assert_eq!(fleet.answers(&mut both).await.unwrap(), address(4));
}

#[tokio::test(start_paused = true)]
async fn destinations_have_their_weights_and_stick() {
    fastrand::seed(1);
    let destinations = [("a", 1), ("b", 3), ("c", 0)].map(|(name, weight)| Destination {
        weight,
        to: zone(name),
    });
    let by = Subject::Metadata("x-user".into());
    let rule = ConditionRule::split("split", Matcher::every(), Some(by), destinations).unwrap();
    let (fleet, _registrations) = fleet(router([rule]), instances()).await;
    let mut in_a = 0;
    for user in 0..10_000 {
        let snapshot = fleet.endpoints.snapshot();
        let zone_of = || {
            let subset = snapshot.subset_for(&call_with("x-user", &user.to_string()));
            subset.endpoints()[0].instance().zone.clone().unwrap()
        };
        let zone = zone_of();
        assert_eq!(zone, zone_of());
        in_a += usize::from(&*zone == "a");
    }
    assert!((2400..2600).contains(&in_a), "{in_a}");
    // Who has no such value goes by the request's own number.
    let without = fleet.tally(4000).await;
    let in_a = without[&address(0)] + without[&address(1)];
    assert!((900..1100).contains(&in_a), "{in_a}");
}

#[tokio::test(start_paused = true)]
async fn outcomes_that_are_the_same_are_shared() {
    let destinations = ["a", "a"].map(|name| Destination {
        weight: 1,
        to: zone(name),
    });
    let by = Subject::Metadata("x-user".into());
    let rule = ConditionRule::split("split", Matcher::every(), Some(by), destinations).unwrap();
    let (fleet, _registrations) = fleet(router([rule]), instances()).await;
    let snapshot = fleet.endpoints.snapshot();
    let subsets: std::collections::HashSet<_> = (0..100)
        .map(|user| {
            let subset = snapshot.subset_for(&call_with("x-user", &user.to_string()));
            std::sync::Arc::as_ptr(&subset) as usize
        })
        .collect();
    // One for each destination, since the reason is another one; and no more.
    assert_eq!(subsets.len(), 2);
}

#[test]
fn facts_of_instances() {
    let instance = Instance::new("i-1")
        .with_address("fake", "10.1.2.3:80".parse().unwrap())
        .with_zone("a")
        .with_group("vip")
        .with_group("batch")
        .with_metadata("tier", "gold")
        .with_weight(50);
    let holds = |json: &str| {
        serde_json::from_str::<TargetMatcher>(json)
            .unwrap()
            .matches(&instance)
    };
    for json in [
        "{}",
        r#"{"id": "i-1", "zone": {"in": ["a", "b"]}}"#,
        r#"{"group": "vip"}"#,
        r#"{"group": {"equals": "other", "not": true}}"#,
        r#"{"lane": {"exists": false}, "version": {"exists": false}}"#,
        r#"{"weight": {"range": {"min": 50}}}"#,
        r#"{"address": {"cidr": "10.1.0.0/16"}}"#,
        r#"{"metadata": {"tier": "gold", "other": {"exists": false}}}"#,
    ] {
        assert!(holds(json), "{json}");
    }
    for json in [
        r#"{"id": "i-2"}"#,
        r#"{"group": {"equals": "vip", "not": true}}"#,
        r#"{"group": "default"}"#,
        r#"{"lane": "green"}"#,
        r#"{"address": {"cidr": "10.1.0.0/16", "not": true}}"#,
        r#"{"metadata": {"other": "gold"}}"#,
    ] {
        assert!(!holds(json), "{json}");
    }
    assert!(Instance::new("x").is_in_group("default"));
    let default: TargetMatcher = serde_json::from_str(r#"{"group": "default"}"#).unwrap();
    assert!(default.matches(&Instance::new("x")));
}

#[test]
fn rules_are_read_written_and_checked() {
    let json = r#"{"name": "eu", "owner": "target", "priority": 3,
        "when": [{"on": {"baggage": "region"}, "prefix": "eu-"}],
        "by": {"metadata": "x-user"},
        "split": [{"weight": 1, "to": {"zone": "a"}}, {"weight": 2, "to": {"zone": "b"}}],
        "force": true, "go_on": true}"#;
    let rule: ConditionRule = serde_json::from_str(json).unwrap();
    let again = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
    assert_eq!(rule, again);

    let error = |json: &str| {
        serde_json::from_str::<ConditionRule>(json)
            .unwrap_err()
            .to_string()
    };
    assert!(error(r#"{"name": "x"}"#).contains("write one of `to`, `split` and `deny = true`"));
    assert!(error(r#"{"name": "x", "to": {}, "deny": true}"#).contains("write one of"));
    assert!(error(r#"{"name": "x", "to": {}, "by": "lane"}"#).contains("`by`: belongs to `split`"));
    assert!(error(r#"{"name": "x", "split": []}"#).contains("`split`: has 0 destinations: write 1 to 64"));
    assert!(
        error(r#"{"name": "x", "split": [{"weight": 0, "to": {}}]}"#).contains("`split`: all weights are 0")
    );
    assert!(error(r#"{"name": "x", "to": {"zoone": "a"}}"#).contains("unknown field `zoone`"));
    assert!(error(r#"{"name": "x", "deny": true, "wen": []}"#).contains("unknown field `wen`"));

    let twice = [
        ConditionRule::deny("x", Matcher::every()),
        ConditionRule::deny("x", Matcher::every()),
    ];
    let error = ConditionRouter::new(twice).unwrap_err();
    assert_eq!(error.to_string(), "`[1].name`: `x` stands there twice");
    let many = (0..1001).map(|n| ConditionRule::deny(n.to_string(), Matcher::every()));
    assert!(
        ConditionRouter::new(many)
            .unwrap_err()
            .problem()
            .contains("more than 1000 rules")
    );
    let many = (0..65).map(|_| Destination {
        weight: 1,
        to: TargetMatcher::new(),
    });
    assert!(ConditionRule::split("x", Matcher::every(), None, many).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_needs_no_metadata() {
    let (fleet, _registrations) = fleet(router([]), instances()).await;
    assert!(fleet.answers(&mut call()).await.is_ok());
}
