//! Requests for an application group.

use rpc_core::{
    matcher::{Condition, Matcher, Predicate, Subject},
    status::reason,
};
use rpc_lb::{GroupRouter, route::group::GroupConfig};
use rpc_registry::{Filter, Instance};

use crate::fleet::{FakeTransport, Fleet, address, call, call_with, instance};

/// The client sees all groups.
async fn fleet(
    config: GroupConfig,
    instances: Vec<Instance>,
) -> (Fleet, Vec<Box<dyn rpc_registry::Registration>>) {
    let mut all = Filter::new();
    all.group = Some("*".to_owned());
    let mut endpoints = crate::fleet::in_turn();
    endpoints.follow.filter = all;
    endpoints.routers = vec![std::sync::Arc::new(GroupRouter::with_config(config).unwrap())];
    let fleet = Fleet::routed(FakeTransport::default(), endpoints);
    let mut registrations = Vec::new();
    for instance in instances {
        registrations.push(fleet.announce(&instance).await);
    }
    fleet.until_ready(registrations.len()).await;
    (fleet, registrations)
}

#[tokio::test(start_paused = true)]
async fn each_request_goes_to_its_group() {
    let gold = Matcher::new([Condition::metadata("x-plan", Predicate::equals("gold"))]).unwrap();
    let config = GroupConfig::new()
        .with_from(Subject::Metadata("x-group".into()))
        .with_rule(gold, "vip");
    let instances = vec![
        instance(0),
        instance(1).with_group("vip"),
        instance(2).with_group("batch"),
    ];
    let (fleet, _registrations) = fleet(config, instances).await;
    for _ in 0..3 {
        assert_eq!(fleet.answers(&mut call()).await.unwrap(), address(0));
        assert_eq!(
            fleet.answers(&mut call_with("x-group", "batch")).await.unwrap(),
            address(2)
        );
        assert_eq!(
            fleet.answers(&mut call_with("x-plan", "gold")).await.unwrap(),
            address(1)
        );
        assert_eq!(
            fleet.answers(&mut call_with("x-plan", "iron")).await.unwrap(),
            address(0)
        );
        assert_eq!(
            fleet.answers(&mut call_with("x-group", "default")).await.unwrap(),
            address(0)
        );
        // A rule stands above what the request asks for.
        let mut both = call_with("x-plan", "gold");
        both.metadata.insert("x-group", "batch").unwrap();
        assert_eq!(fleet.answers(&mut both).await.unwrap(), address(1));
    }
    let nobody = fleet
        .answers(&mut call_with("x-group", "none of them"))
        .await
        .unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert!(
        nobody.message().contains("router `group` left none of 3"),
        "{nobody}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_instance_may_belong_to_several() {
    let config = GroupConfig::new().with_from(Subject::Metadata("x-group".into()));
    let (fleet, _registrations) = fleet(config, vec![instance(0).with_group("a").with_group("b")]).await;
    assert!(fleet.answers(&mut call_with("x-group", "a")).await.is_ok());
    assert!(fleet.answers(&mut call_with("x-group", "b")).await.is_ok());
    assert!(
        fleet.answers(&mut call()).await.is_err(),
        "callers see only their group"
    );
}

#[test]
fn settings_are_checked() {
    let config: GroupConfig = serde_json::from_str(
        r#"{"from": {"metadata": "x-group"}, "rules": [{"when": [{"on": "lane", "exists": true}], "group": ""}]}"#,
    )
    .unwrap();
    let error = GroupRouter::with_config(config).unwrap_err();
    assert_eq!(error.to_string(), "`rules[0].group`: is empty");
    let config = GroupConfig::new().with_from(Subject::Metadata("No Key".into()));
    assert_eq!(GroupRouter::with_config(config).unwrap_err().path(), "from");
}
