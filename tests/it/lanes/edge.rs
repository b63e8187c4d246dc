//! Where requests get their lane.

use rpc::{
    Context,
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

/// Entries of metadata.
type Entries<'a> = &'a [(&'a str, &'a str)];

/// Which instance of `b` a request with such metadata goes to.
async fn goes_to(edge: &HopClient, metadata: Entries<'_>) -> String {
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

/// `edge`, which takes green only, in front of `b` in front of `c`, which there is in three lanes. All copy metadata.
async fn a_lane_that_is_not_accepted_is_gone_from_the_metadata(wire: Wire) {
    let memory = MemoryRegistry::new();
    let keyed = || LaneHook::inbound().with_key("x-lane").unwrap();
    let at_the_edge = keyed()
        .with_accepted(AcceptedLanes::only([lane("green")]))
        .with_rules(rules());
    let mut running = vec![
        start_with(&memory, "edge", None, Some("b"), wire, at_the_edge).await,
        start_with(&memory, "b", None, Some("c"), wire, keyed()).await,
    ];
    for of in [None, Some("green"), Some("red")] {
        running.push(start(&memory, "c", of, None, wire).await);
    }
    let edge = HopClient::new(client(&memory, "edge", wire));
    let b = HopClient::new(client(&memory, "b", wire));
    for of in ["green", "red"] {
        let c = format!("c@{of}");
        until_way(&b, Some(of), &["b@base", &c]).await;
    }
    until_way(&edge, Some("green"), &["edge@base", "b@base", "c@green"]).await;

    let both = format!("user=jane%20doe;ttl=5, {LANE_KEY}=red;a=1 ,odd,tenant=acme");
    let only = format!("{LANE_KEY}=red");
    let green = format!("{LANE_KEY}=green,user=jane");
    let others = "baggage: user=jane%20doe;ttl=5,odd,tenant=acme";
    let cases: [(Entries<'_>, &str, &[&str]); 9] = [
        (&[(LANE_KEY, "red")], "base", &[]),
        (&[(BAGGAGE_KEY, &only)], "base", &[]),
        (&[(BAGGAGE_KEY, &both), ("x-lane", "red")], "base", &[others]),
        // The second is what the next one would take if only the first were gone.
        (&[(LANE_KEY, "red"), (LANE_KEY, "green")], "base", &[]),
        (
            &[(LANE_KEY, "red"), (BAGGAGE_KEY, &green)],
            "base",
            &["baggage: user=jane"],
        ),
        // One that is taken stays; what contradicts it does not.
        (
            &[(LANE_KEY, "green"), (BAGGAGE_KEY, &both), ("x-lane", "red")],
            "green",
            &["x-md-global-color: green", others],
        ),
        (
            &[("x-lane", "green"), ("x-lane", "red")],
            "green",
            &["x-lane: green"],
        ),
        // Rules have the last word.
        (&[(LANE_KEY, "red"), ("x-user", "alice")], "green", &[]),
        (&[(LANE_KEY, "green"), ("x-role", "tester")], "base", &[]),
    ];
    for (entries, goes_to, left) in cases {
        let mut request = note();
        let keys = [LANE_KEY, BAGGAGE_KEY, "x-lane"].map(str::to_owned);
        let mut asks = Request::new(keys.to_vec());
        for (key, value) in entries {
            request.metadata_mut().append(key, value).unwrap();
            asks.metadata_mut().append(key, value).unwrap();
        }
        assert_eq!(edge.metadata(asks).await.unwrap(), left, "{entries:?}");
        let way = edge.visit_and_copy(request).await.unwrap();
        assert_eq!(
            way,
            ["edge@base", "b@base", &format!("c@{goes_to}")],
            "{entries:?}"
        );
    }
    stop(running).await;
}

#[tokio::test]
async fn a_lane_that_is_not_accepted_is_gone_from_the_metadata_over_grpc() {
    a_lane_that_is_not_accepted_is_gone_from_the_metadata(Wire::Grpc).await;
}

#[tokio::test]
async fn a_lane_that_is_not_accepted_is_gone_from_the_metadata_over_framed() {
    a_lane_that_is_not_accepted_is_gone_from_the_metadata(Wire::Framed).await;
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
    // Metadata that was copied from an inbound call has a lane that the rule takes the call out of.
    let baggage = format!("user=jane,{LANE_KEY}=green");
    for said in [(LANE_KEY, "green"), (BAGGAGE_KEY, &*baggage), ("x-lane", "green")] {
        let in_green = Context::new().with_lane(lane("green"));
        let entries = [("x-role", "tester"), said];
        let went = in_green.scope(goes_to(&labelled, &entries)).await;
        assert_eq!(went, "b@base", "{said:?}");
    }
    // Where no rule decides, what the metadata says by hand goes out.
    let keyed = Client::builder()
        .registry(memory.clone())
        .target("memory:///edge")
        .lanes(LaneHook::outbound().with_key("x-lane").unwrap())
        .build()
        .unwrap();
    let went = goes_to(&HopClient::new(&keyed), &[(LANE_KEY, "green")]).await;
    assert_eq!(went, "b@green");
    stop(running).await;
}
