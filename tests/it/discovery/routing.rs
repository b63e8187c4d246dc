//! Routes, copies and faults of a client, over sockets.

use std::collections::BTreeMap;

use rpc::{
    Code,
    lanes::{Lane, LaneHook, LaneRouter, LaneRule, LaneRules},
    lb::{
        GroupRouter, RouteConfig, TagRouter,
        fault::{Abort, FaultRule},
        mirror::{MirrorConfig, MirrorRule},
        route::{TargetMatcher, condition::ConditionRule, group::GroupConfig, zone::ZoneConfig},
    },
    matcher::{Condition, Matcher, Predicate, Subject},
    prelude::*,
    status::reason,
};

use super::support::{Running, Who as _, WhoClient, server, tally, until, until_ready};

async fn versions(memory: &MemoryRegistry) -> Vec<Running> {
    let mut running = Vec::new();
    for (name, version) in [("a", "1"), ("b", "1"), ("c", "2")] {
        let instance = Instance::new(name).with_version(version);
        let server = server(name).instance(instance).register(memory.clone(), "who");
        running.push(Running::start(server).await);
    }
    running
}

fn builder(memory: &MemoryRegistry) -> rpc::ClientBuilder {
    Client::builder()
        .registry(memory.clone())
        .target("memory:///who")
        .balancer(rpc::lb::RoundRobin::new())
}

fn version(version: &str) -> TargetMatcher {
    TargetMatcher::new().with_version(Predicate::equals(version))
}

#[tokio::test]
async fn a_document_of_routes_takes_effect() {
    let memory = MemoryRegistry::new();
    let running = versions(&memory).await;
    let routes: RouteConfig = serde_json::from_str(
        r#"{
            "conditions": [{
                "name": "names of the second version",
                "when": [{"on": "method", "equals": "Name"}],
                "to": {"version": "2"}
            }],
            "zone": {"zone": "a"}
        }"#,
    )
    .unwrap();
    let client = builder(&memory).routes(routes).build().unwrap();
    until_ready(&client, 3).await;
    assert_eq!(tally(&client, 12).await, BTreeMap::from([("c".to_owned(), 12)]));

    let denied = ConditionRule::deny("closed", Matcher::every());
    let denied = rpc::lb::ConditionRouter::new([denied]).unwrap();
    let client = builder(&memory)
        .condition_router(denied)
        .wait_for_ready(false)
        .build()
        .unwrap();
    client.endpoints().start().unwrap();
    until(|| client.endpoints().snapshot().counts().ready == 3).await;
    let status = WhoClient::new(&client).name().await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    assert!(status.message().contains("rule `closed` denies it"), "{status}");
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_document_says_where_lanes_go_as_well() {
    let memory = MemoryRegistry::new();
    let running = versions(&memory).await;
    let routes = serde_json::from_str(r#"{"lanes": {"lanes": {"alone": []}}}"#).unwrap();
    let client = builder(&memory).routes(routes).build().unwrap();
    until_ready(&client, 3).await;
    let goes_in = async |lane| {
        let context = Context::new().with_lane(Lane::new(lane).unwrap());
        let who = WhoClient::new(&client);
        context.enter(|| who.name()).await
    };
    assert!(goes_in("green").await.is_ok());
    let status = goes_in("alone").await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::NO_ENDPOINT_AFTER_ROUTER));
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn copies_and_faults_of_a_client() {
    let memory = MemoryRegistry::new();
    let running = versions(&memory).await;
    let when = Matcher::new([Condition::method(Predicate::equals("Name"))]).unwrap();
    let mirror = MirrorConfig::new().with_rule(MirrorRule::to_instances("second", when, version("2")));
    let client = builder(&memory).mirror(mirror).build().unwrap();
    until_ready(&client, 3).await;
    assert_eq!(
        tally(&client, 12).await.len(),
        3,
        "copies change nothing for calls"
    );
    until(|| client.mirrored().answered == 12).await;
    assert_eq!((client.mirrored().sent, client.mirrored().failed), (12, 0));
    client.close().await;

    let fault = FaultRule::new("down", Matcher::every()).with_abort(Abort::new(Code::Unavailable));
    let client = builder(&memory).faults([fault]).build().unwrap();
    let status = WhoClient::new(&client).name().await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::FAULT_INJECTED));
    for running in running {
        running.stop().await;
    }
}

#[test]
fn mistakes_are_found_at_build() {
    let memory = MemoryRegistry::new();
    let error = |builder: rpc::ClientBuilder| builder.build().unwrap_err().to_string();
    let routes = || serde_json::from_str(r#"{"zone": {"zone": ""}}"#).unwrap();
    assert!(error(builder(&memory).routes(routes())).starts_with("`zone.zone`"));
    for (builder, method) in [
        (
            builder(&memory)
                .tag_router(TagRouter::new())
                .routes(RouteConfig::default()),
            "tag_router",
        ),
        (
            builder(&memory)
                .routes(RouteConfig::default())
                .lane_router(LaneRouter::new()),
            "lane_router",
        ),
    ] {
        let error = error(builder);
        assert!(
            error.starts_with("`routes`: ") && error.contains(method),
            "{error}"
        );
    }
    let groups = || GroupRouter::with_config(GroupConfig::new()).unwrap();
    let document = || serde_json::from_str::<RouteConfig>(r#"{"group": {}}"#).unwrap();
    for builder in [
        builder(&memory).group_router(groups()),
        builder(&memory).routes(document()),
        builder(&memory).group("vip").group_router(groups()),
    ] {
        let error = error(builder);
        assert!(
            error.starts_with("`group_router`: ") && error.contains("?group=*"),
            "{error}"
        );
    }
    for builder in [
        builder(&memory)
            .target("memory:///who?group=*")
            .routes(document()),
        builder(&memory)
            .also("memory:///them?group=*")
            .group_router(groups()),
    ] {
        builder.build().unwrap();
    }
    let fault = FaultRule::new("nothing", Matcher::every());
    assert!(error(builder(&memory).faults([fault])).starts_with("`faults[0]`: does nothing"));
    let nowhere = MirrorRule::to_target("copy", Matcher::every(), "nowhere");
    let nowhere = MirrorConfig::new().with_rule(nowhere);
    assert_eq!(
        error(builder(&memory).mirror(nowhere)),
        "`mirror.rules[0].target`: `nowhere` is no target of this client's mirrors; known are: none"
    );
    assert!(rpc::lb::ZoneRouter::with_config(ZoneConfig::new("a").with_panic(-1.0)).is_err());
}

#[test]
fn a_client_has_no_caller_that_its_rules_could_look_at() {
    let memory = MemoryRegistry::new();
    let problem = "there is no caller on the client's side: only a server's rules can look at it";
    let strangers = r#""when": [{"on": "caller_address", "cidr": "10.0.0.0/8", "not": true}]"#;
    let split = r#""split": [{"weight": 1, "to": {}}]"#;
    let refused = |place: &str, builder: Result<rpc::ClientBuilder, String>| {
        let built = builder.and_then(|builder| builder.build().map_err(|error| error.to_string()));
        let error = built.unwrap_err();
        assert!(error.starts_with(&format!("`{place}`: {problem}")), "{error}");
    };
    for (place, routes) in [
        (
            "conditions[0].when",
            format!(r#"{{"conditions": [{{"name": "a", {strangers}, "deny": true}}]}}"#),
        ),
        (
            "percentages[0].when",
            format!(r#"{{"percentages": [{{"name": "a", {strangers}, {split}}}]}}"#),
        ),
        (
            "group.rules[0].when",
            format!(r#"{{"group": {{"rules": [{{{strangers}, "group": "vip"}}]}}}}"#),
        ),
        ("group.from", r#"{"group": {"from": "caller"}}"#.to_owned()),
        ("tag.from", r#"{"tag": {"from": "caller"}}"#.to_owned()),
        // A split is checked where it is read.
        (
            "split.by",
            format!(r#"{{"conditions": [{{"name": "a", "by": "caller", {split}}}]}}"#),
        ),
        (
            "split.by",
            format!(r#"{{"percentages": [{{"name": "a", "by": "caller_address", {split}}}]}}"#),
        ),
    ] {
        let routes = serde_json::from_str::<RouteConfig>(&routes).map_err(|error| error.to_string());
        refused(place, routes.map(|routes| builder(&memory).routes(routes)));
    }

    let strangers = || serde_json::from_str::<Matcher>(r#"[{"on": "caller", "exists": false}]"#).unwrap();
    let mirror = |rule: MirrorRule| Ok(builder(&memory).mirror(MirrorConfig::new().with_rule(rule)));
    let copies = |when: Matcher| MirrorRule::to_instances("a", when, version("2"));
    refused("mirror.rules[0].when", mirror(copies(strangers())));
    let by = copies(Matcher::every()).with_by(Subject::Caller);
    refused("mirror.rules[0].by", mirror(by));
    let fault = FaultRule::new("a", strangers()).with_abort(Abort::new(Code::Unavailable));
    refused("faults[0].when", Ok(builder(&memory).faults([fault])));
    let lanes = LaneRules::new([LaneRule::new(strangers(), None)]).unwrap();
    let lanes = LaneHook::outbound().with_rules(lanes);
    refused("lanes.rules[0].when", Ok(builder(&memory).lanes(lanes)));
}
