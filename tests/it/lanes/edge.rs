//! Where requests get their lane.

use rpc::{
    context::{BAGGAGE_KEY, LANE_KEY},
    lanes::{AcceptedLanes, LaneHook, LaneRule, LaneRules},
    matcher::{Condition, Matcher, Predicate},
    prelude::*,
};

use super::support::{Hop as _, HopClient, Running, Wire, client, lane, note, start, start_with, until_way};

/// `edge` in front of `b`, which there is in the base lane and in green.
async fn fleet(memory: &MemoryRegistry, lanes: LaneHook) -> (HopClient, Vec<Running>) {
    let running = vec![
        start_with(memory, "edge", None, Some("b"), Wire::Grpc, lanes).await,
        start(memory, "b", None, None, Wire::Grpc).await,
        start(memory, "b", Some("green"), None, Wire::Grpc).await,
    ];
    (HopClient::new(client(memory, "edge", Wire::Grpc)), running)
}

/// Which instance of `b` a request with such metadata goes to.
async fn goes_to(edge: &HopClient, metadata: &[(&str, &str)]) -> String {
    let mut request = note();
    for (key, value) in metadata {
        request.metadata_mut().append(key, value).unwrap();
    }
    edge.visit(request).await.unwrap().pop().unwrap()
}

fn rules() -> LaneRules {
    let alice = Matcher::new([Condition::metadata("x-user", Predicate::equals("alice"))]).unwrap();
    let tester = Matcher::new([Condition::metadata("x-role", Predicate::equals("tester"))]).unwrap();
    LaneRules::new([
        LaneRule::new(alice, lane("green")),
        LaneRule::new(tester, None).overriding(),
    ])
    .unwrap()
}

async fn stop(running: Vec<Running>) {
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_rule_at_the_edge_puts_requests_into_lanes() {
    let memory = MemoryRegistry::new();
    let (edge, running) = fleet(&memory, LaneHook::inbound().with_rules(rules())).await;
    until_way(&edge, Some("green"), &["edge@base", "b@green"]).await;

    assert_eq!(goes_to(&edge, &[("x-user", "alice")]).await, "b@green");
    assert_eq!(goes_to(&edge, &[("x-user", "bob")]).await, "b@base");
    // A rule means requests without a lane, unless it says otherwise.
    assert_eq!(
        goes_to(&edge, &[("x-user", "bob"), (LANE_KEY, "green")]).await,
        "b@green"
    );
    assert_eq!(
        goes_to(&edge, &[("x-role", "tester"), (LANE_KEY, "green")]).await,
        "b@base"
    );
    stop(running).await;
}

#[tokio::test]
async fn the_edge_takes_the_lanes_that_it_accepts() {
    let memory = MemoryRegistry::new();
    let none = LaneHook::inbound()
        .with_accepted(AcceptedLanes::None)
        .with_rules(rules());
    let (edge, running) = fleet(&memory, none).await;
    until_way(&edge, None, &["edge@base", "b@base"]).await;
    assert_eq!(goes_to(&edge, &[(LANE_KEY, "green")]).await, "b@base");
    // The rules are the edge's own.
    assert_eq!(
        goes_to(&edge, &[(LANE_KEY, "red"), ("x-user", "alice")]).await,
        "b@green"
    );
    stop(running).await;

    let memory = MemoryRegistry::new();
    let some = LaneHook::inbound().with_accepted(AcceptedLanes::only([lane("green")]));
    let (edge, running) = fleet(&memory, some).await;
    until_way(&edge, Some("green"), &["edge@base", "b@green"]).await;
    assert_eq!(goes_to(&edge, &[(LANE_KEY, "red")]).await, "b@base");
    stop(running).await;
}

#[tokio::test]
async fn a_lane_comes_in_baggage_and_under_a_key_of_ones_own() {
    let memory = MemoryRegistry::new();
    let hook = LaneHook::inbound().with_key("x-lane").unwrap();
    let (edge, running) = fleet(&memory, hook).await;
    until_way(&edge, Some("green"), &["edge@base", "b@green"]).await;

    let baggage = format!("user=alice,{LANE_KEY}=green");
    assert_eq!(goes_to(&edge, &[(BAGGAGE_KEY, &baggage)]).await, "b@green");
    // The header counts.
    assert_eq!(
        goes_to(&edge, &[(BAGGAGE_KEY, &baggage), (LANE_KEY, "other")]).await,
        "b@base"
    );
    assert_eq!(goes_to(&edge, &[("x-lane", "green")]).await, "b@green");
    assert_eq!(goes_to(&edge, &[("x-lane", "no lane")]).await, "b@base");
    stop(running).await;
}

#[tokio::test]
async fn a_client_labels_what_it_sends() {
    let memory = MemoryRegistry::new();
    let (edge, running) = fleet(&memory, LaneHook::inbound()).await;
    until_way(&edge, Some("green"), &["edge@base", "b@green"]).await;

    let labels = LaneHook::outbound()
        .with_rules(rules())
        .with_key("x-lane")
        .unwrap();
    let labelled = Client::builder()
        .registry(memory.clone())
        .target("memory:///edge")
        .lanes(labels)
        .build()
        .unwrap();
    let labelled = HopClient::new(&labelled);
    assert_eq!(goes_to(&labelled, &[("x-user", "alice")]).await, "b@green");
    assert_eq!(goes_to(&labelled, &[("x-user", "bob")]).await, "b@base");
    stop(running).await;
}
