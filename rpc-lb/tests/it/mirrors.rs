//! Copies of calls.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rpc_core::{
    Body, Call, Channel, Context, Deadline, Method, MethodDescriptor, Reply, Shape, Stage, Status,
    context::Lane,
    matcher::{Condition, Matcher, Predicate, Subject},
    message::Encoded,
};
use rpc_lb::{
    PickLayer, ToLink,
    mirror::{Mirror, MirrorConfig, MirrorLayer, MirrorRouter, MirrorRule, MirrorTargets},
    route::{Routers, TargetMatcher},
};
use rpc_registry::Registration;
use tokio::time::{Instant, sleep};
use tower_layer::Layer as _;

use crate::fleet::{FakeTransport, Fleet, address, call, call_with, instance, settle};

/// Another target, which remembers what it was sent and takes its time.
#[derive(Clone, Default)]
struct Shadow {
    seen: Arc<Mutex<Vec<Seen>>>,
    takes: Duration,
    fails: bool,
}

#[derive(Debug)]
struct Seen {
    body: Vec<u8>,
    mark: Option<String>,
    user: Option<String>,
    lane: Option<Lane>,
    left: Duration,
    ended: bool,
}

impl Shadow {
    fn taking(takes: Duration) -> Self {
        Self {
            takes,
            ..Self::default()
        }
    }

    fn len(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn ended(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.ended).count()
    }

    fn targets(&self) -> MirrorTargets {
        MirrorTargets::new().with("shadow", Channel::new(self.clone()))
    }
}

impl Stage for Shadow {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let at = {
            let mut seen = self.seen.lock().unwrap();
            let Body::Encoded(Encoded { bytes }) = &call.body else {
                panic!("a copy is encoded");
            };
            seen.push(Seen {
                body: bytes.to_vec(),
                mark: call.metadata.get("x-mirror").map(ToOwned::to_owned),
                user: call.metadata.get("x-user").map(ToOwned::to_owned),
                lane: call.context.lane().cloned(),
                left: call
                    .context
                    .deadline()
                    .map(Deadline::remaining)
                    .unwrap_or_default(),
                ended: false,
            });
            seen.len() - 1
        };
        if !self.takes.is_zero() {
            sleep(self.takes).await;
        }
        self.seen.lock().unwrap()[at].ended = true;
        if self.fails {
            return Err(Status::internal("whatever"));
        }
        Ok(Reply::new(Body::Empty))
    }
}

async fn fleet() -> (Fleet, Vec<Box<dyn Registration>>) {
    let (fleet, registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    (fleet, registrations)
}

fn config(rule: MirrorRule) -> MirrorConfig {
    MirrorConfig::new().with_rule(rule)
}

fn to_shadow() -> MirrorRule {
    MirrorRule::to_target("copy", Matcher::every(), "shadow")
}

/// The layer, and the stage over the fleet.
fn mirror<'f>(
    fleet: &'f Fleet,
    config: MirrorConfig,
    shadow: &Shadow,
) -> (MirrorLayer, Mirror<&'f impl Stage>) {
    let layer = MirrorLayer::new(config, &fleet.endpoints, &shadow.targets()).unwrap();
    let stage = layer.layer(&fleet.pick);
    (layer, stage)
}

#[tokio::test(start_paused = true)]
async fn a_copy_has_what_the_call_has_and_nobody_waits_for_it() {
    let (fleet, _registrations) = fleet().await;
    let shadow = Shadow::taking(Duration::from_secs(1));
    let (layer, stage) = mirror(&fleet, config(to_shadow()), &shadow);
    let mut call = call_with("x-user", "7");
    call.body = Body::Encoded(Encoded {
        bytes: "message".into(),
    });
    let lane = Lane::new("green").unwrap();
    call.context = Context::new()
        .with_lane(lane.clone())
        .with_deadline(Deadline::after(Duration::from_secs(4)));
    let start = Instant::now();
    stage.call(&mut call).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    // It is not the call that makes it end.
    drop(call);
    settle().await;
    {
        let seen = &shadow.seen.lock().unwrap()[0];
        assert_eq!(seen.body, b"message");
        assert_eq!(seen.mark.as_deref(), Some("copy"));
        assert_eq!(seen.user.as_deref(), Some("7"));
        assert_eq!(seen.lane, Some(lane));
        assert!(seen.left <= Duration::from_secs(4) && seen.left > Duration::from_secs(3));
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(shadow.ended(), 1);
    assert_eq!((layer.counts().sent, layer.counts().failed), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn only_the_first_attempt_and_no_streams() {
    static STREAM: MethodDescriptor = MethodDescriptor::new("/test.Service/Stream", Shape::ServerStreaming);
    let (fleet, _registrations) = fleet().await;
    let shadow = Shadow::default();
    let (_, stage) = mirror(&fleet, config(to_shadow()), &shadow);
    let mut call = call();
    for _ in 0..3 {
        stage.call(&mut call).await.unwrap();
    }
    let body = Body::Encoded(Encoded {
        bytes: "message".into(),
    });
    let mut streaming = Call::new(Method::from(&STREAM), "json", body);
    stage.call(&mut streaming).await.unwrap();
    settle().await;
    assert_eq!(shadow.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn copies_are_bounded_in_number_size_and_time() {
    let (fleet, _registrations) = fleet().await;
    let shadow = Shadow::taking(Duration::from_mins(1));
    let rule = to_shadow().with_timeout(Duration::from_secs(5));
    let config = config(rule).with_max_in_flight(3).with_max_bytes(10);
    let (layer, stage) = mirror(&fleet, config, &shadow);
    for _ in 0..5 {
        stage.call(&mut call()).await.unwrap();
    }
    settle().await;
    assert_eq!(shadow.len(), 3);
    assert_eq!((layer.counts().sent, layer.counts().skipped), (3, 2));

    sleep(Duration::from_secs(6)).await;
    assert_eq!((layer.counts().failed, shadow.ended()), (3, 0));
    let mut large = call();
    large.body = Body::Encoded(Encoded {
        bytes: vec![0; 11].into(),
    });
    stage.call(&mut large).await.unwrap();
    stage.call(&mut call()).await.unwrap();
    settle().await;
    assert_eq!(shadow.len(), 4);
    assert_eq!((layer.counts().sent, layer.counts().skipped), (4, 3));
}

#[tokio::test(start_paused = true)]
async fn copies_end_with_the_client() {
    let (fleet, _registrations) = fleet().await;
    let shadow = Shadow::taking(Duration::from_secs(5));
    let (layer, stage) = mirror(&fleet, config(to_shadow()), &shadow);
    stage.call(&mut call()).await.unwrap();
    settle().await;
    assert_eq!(shadow.len(), 1);
    drop((layer, stage));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(shadow.ended(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_share_is_copied_and_sticks() {
    let (fleet, _registrations) = fleet().await;
    let shadow = Shadow::default();
    let when = Matcher::new([Condition::metadata("x-user", Predicate::exists())]).unwrap();
    let rule = MirrorRule::to_target("some", when, "shadow")
        .with_percent(25.0)
        .with_by(Subject::Metadata("x-user".into()));
    let (_, stage) = mirror(&fleet, config(rule).with_max_in_flight(100_000), &shadow);
    stage.call(&mut call()).await.unwrap();
    for _ in 0..2 {
        for user in 0..2000 {
            stage
                .call(&mut call_with("x-user", &user.to_string()))
                .await
                .unwrap();
        }
        settle().await;
    }
    let mut times = std::collections::HashMap::new();
    for seen in &*shadow.seen.lock().unwrap() {
        *times.entry(seen.user.clone()).or_insert(0) += 1;
    }
    assert!((450..550).contains(&times.len()), "{}", times.len());
    assert!(times.values().all(|times| *times == 2));
}

#[tokio::test(start_paused = true)]
async fn a_failing_copy_is_nobodys_business() {
    let (fleet, _registrations) = fleet().await;
    let shadow = Shadow {
        fails: true,
        ..Shadow::default()
    };
    let (layer, stage) = mirror(&fleet, config(to_shadow()), &shadow);
    stage.call(&mut call()).await.unwrap();
    settle().await;
    assert_eq!((layer.counts().sent, layer.counts().failed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn copies_may_go_to_other_instances_of_the_target() {
    let version = |version: &str| TargetMatcher::new().with_version(Predicate::equals(version));
    let mirrors = config(MirrorRule::to_instances("v2", Matcher::every(), version("2")));
    let mut endpoints = crate::fleet::in_turn();
    endpoints.routers = Routers::new().with_mirror(MirrorRouter::new(&mirrors)).in_order();
    let fleet = Fleet::routed(FakeTransport::default(), endpoints);
    let _first = fleet.announce(&instance(0).with_version("1")).await;
    let second = fleet.announce(&instance(1).with_version("2")).await;
    fleet.until_ready(2).await;
    let layer = MirrorLayer::new(mirrors, &fleet.endpoints, &MirrorTargets::new()).unwrap();
    let stage = layer.layer(&fleet.pick);
    let calls = |n| fleet.transport.of(&address(n)).calls();
    for _ in 0..10 {
        stage.call(&mut call()).await.unwrap();
    }
    settle().await;
    // Five of its own, by turns, and all copies.
    assert_eq!((calls(0), calls(1)), (5, 15));
    assert_eq!((layer.counts().answered, layer.counts().failed), (10, 0));

    let mut second = second;
    second.withdraw().await.unwrap();
    fleet.until_ready(1).await;
    stage.call(&mut call()).await.unwrap();
    settle().await;
    assert_eq!((layer.counts().sent, layer.counts().failed), (11, 1));
    assert_eq!(calls(0), 6);
}

#[tokio::test(start_paused = true)]
async fn a_copy_goes_to_all_instances_of_a_target_that_mirrors_as_well() {
    let version = TargetMatcher::new().with_version(Predicate::equals("2"));
    let theirs = config(MirrorRule::to_instances("v2", Matcher::every(), version));
    let mut endpoints = crate::fleet::in_turn();
    endpoints.routers = Routers::new().with_mirror(MirrorRouter::new(&theirs)).in_order();
    let other = Fleet::routed(FakeTransport::default(), endpoints);
    let _first = other.announce(&instance(0).with_version("1")).await;
    let _second = other.announce(&instance(1).with_version("2")).await;
    other.until_ready(2).await;
    let channel = Channel::new(PickLayer::new(other.endpoints.clone()).layer(ToLink));

    let (fleet, _registrations) = fleet().await;
    let targets = MirrorTargets::new().with("shadow", channel);
    let layer = MirrorLayer::new(config(to_shadow()), &fleet.endpoints, &targets).unwrap();
    let stage = layer.layer(&fleet.pick);
    for _ in 0..10 {
        stage.call(&mut call()).await.unwrap();
    }
    settle().await;
    assert_eq!(layer.counts().answered, 10);
    let calls = |n| other.transport.of(&address(n)).calls();
    assert_eq!((calls(0), calls(1)), (5, 5));
}

#[tokio::test]
async fn rules_are_read_and_checked() {
    let config: MirrorConfig = serde_json::from_str(
        r#"{"max_in_flight": 8, "rules": [
            {"name": "a", "percent": 5, "to": {"version": "v2"}, "timeout": "2s"},
            {"name": "b", "target": "elsewhere"}]}"#,
    )
    .unwrap();
    assert_eq!(config.rules[0].timeout, Duration::from_secs(2));
    let fleet = Fleet::new();
    let shadow = Shadow::default();
    let error = |config: MirrorConfig| {
        MirrorLayer::new(config, &fleet.endpoints, &shadow.targets())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(config),
        "`rules[1].target`: `elsewhere` is no target of this client's mirrors; known are: `shadow`"
    );
    let often = MirrorConfig::new().with_rule(to_shadow().with_percent(-1.0));
    assert_eq!(error(often), "`rules[0].percent`: write a number from 0 to 100");
    let none = MirrorConfig::new().with_rule(to_shadow()).with_max_in_flight(0);
    assert!(error(none).contains("`max_in_flight`: write 1 to"));

    let unread = |json: &str| {
        serde_json::from_str::<MirrorConfig>(json)
            .unwrap_err()
            .to_string()
    };
    assert!(unread(r#"{"rules": [{"name": "a"}]}"#).contains("write one of `to` and `target`"));
    assert!(
        unread(r#"{"rules": [{"name": "a", "target": "b", "too": {}}]}"#).contains("unknown field `too`")
    );
}
