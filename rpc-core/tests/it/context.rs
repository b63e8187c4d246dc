//! The context: what it carries, task-locally and as metadata.

use std::time::Duration;

use http::HeaderValue;
use rpc_core::{
    Context, Deadline, Metadata, Request, Response, Result, client,
    context::{BAGGAGE_KEY, Baggage, Caller, LANE_KEY, Lane, TRACEPARENT_KEY, TRACESTATE_KEY, TraceContext},
    metadata::{MetadataKey, MetadataValue},
};

use crate::support::{Numbers, ONE, one};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn full() -> Context {
    Context::new()
        .with_lane(Lane::new("red").expect("a name"))
        .with_trace(TraceContext::parse(PARENT).map(|trace| trace.with_state("a=1")))
        .with_baggage(Baggage::parse("user=jane%20doe;ttl=5"))
}

fn of(entries: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in entries {
        metadata.append(key, value).expect("legal");
    }
    metadata
}

#[test]
fn it_travels_as_metadata() {
    let mut metadata = Metadata::new();
    full().inject(&mut metadata);
    assert_eq!(metadata.get(LANE_KEY), Some("red"));
    assert_eq!(metadata.get(TRACEPARENT_KEY), Some(PARENT));
    assert_eq!(metadata.get(TRACESTATE_KEY), Some("a=1"));
    let baggage = "user=jane%20doe;ttl=5,x-md-global-color=red";
    assert_eq!(metadata.get(BAGGAGE_KEY), Some(baggage));

    let context = Context::new().extract(&metadata);
    assert_eq!(context.lane(), full().lane());
    assert_eq!(context.trace(), full().trace());
    assert_eq!(context.baggage(), full().baggage());
}

#[test]
fn baggage_alone_keeps_the_lane() {
    let lane = |entries: &[(&str, &str)]| Context::new().extract(&of(entries)).lane().cloned();
    let baggage = (BAGGAGE_KEY, "a=1,x-md-global-color=red");
    assert_eq!(lane(&[baggage]).unwrap().as_str(), "red");
    assert_eq!(
        lane(&[baggage, (LANE_KEY, "blue")]).unwrap().as_str(),
        "blue",
        "the header counts"
    );
    assert_eq!(lane(&[(BAGGAGE_KEY, "x-md-global-color=no%20lane")]), None);

    // It goes with the lane, not with the rest of the baggage.
    let context = Context::new().extract(&of(&[baggage]));
    assert_eq!(context.baggage().len(), 1);
    let left = context.with_lane(None).injected(&Metadata::new());
    assert_eq!(left.get(BAGGAGE_KEY), Some("a=1"));
    assert_eq!(left.get(LANE_KEY), None);
}

#[test]
fn other_lanes_can_be_taken_out_of_metadata() {
    let left = |lane: &str, entries: &[(&str, &str)]| {
        let mut metadata = of(entries);
        let lane = Lane::new(lane).ok();
        Context::new().with_lane(lane).remove_other_lanes(&mut metadata);
        metadata
    };
    let both = [
        (LANE_KEY, "red"),
        (BAGGAGE_KEY, "a=1 , x-md-global-color=red;p, b=%20"),
    ];
    assert_eq!(left("red", &both), of(&both), "its own stays");
    assert_eq!(left("", &both), of(&[(BAGGAGE_KEY, "a=1 , b=%20")]));
    assert_eq!(left("blue", &both), of(&[(BAGGAGE_KEY, "a=1 , b=%20")]));
    // What is no name of a lane to us may be one to others.
    for odd in [
        "x-md-global-color",
        "x-md-global-color=",
        "x-md-global-color = a/b;=red",
    ] {
        assert_eq!(
            left("red", &[(BAGGAGE_KEY, odd), (LANE_KEY, "a b")]),
            of(&[]),
            "{odd}"
        );
    }
    // Nothing else is looked at.
    let others = [
        (
            BAGGAGE_KEY,
            "color=red,,x-md-global-colors=red,a;x-md-global-color=red",
        ),
        ("x-lane", "red"),
        (BAGGAGE_KEY, ""),
    ];
    assert_eq!(left("", &others), of(&others[..2]));
    // Nor is its own lost among what is beyond the limits of baggage.
    let mut long = vec!["a=1"; Baggage::MAX_MEMBERS];
    long.push("x-md-global-color=red");
    assert_eq!(
        left("", &[(BAGGAGE_KEY, &long.join(","))]).get(BAGGAGE_KEY),
        Some(long[..Baggage::MAX_MEMBERS].join(",").as_str())
    );
}

#[test]
fn an_empty_one_carries_nothing() {
    let context = Context::new().with_deadline(Deadline::after(Duration::from_secs(1)));
    assert!(context.injected(&Metadata::new()).is_empty());
    let emptied = full()
        .with_lane(None)
        .with_trace(None)
        .with_baggage(Baggage::new());
    assert!(emptied.injected(&Metadata::new()).is_empty());
}

#[test]
fn explicit_metadata_wins() {
    let explicit = of(&[
        (LANE_KEY, "blue"),
        (TRACEPARENT_KEY, "mine"),
        (BAGGAGE_KEY, "a=1"),
    ]);
    assert!(
        full().injected(&explicit).is_empty(),
        "the state goes with its parent"
    );
    let injected = full().injected(&of(&[(TRACESTATE_KEY, "b=2")]));
    assert_eq!(injected.get(TRACESTATE_KEY), None);
    assert_eq!(injected.len(), 3);
}

#[test]
fn malformed_metadata_is_ignored() {
    let long = "x".repeat(Lane::MAX_LEN + 1);
    for lane in ["", "a b", "a/b", long.as_str()] {
        assert!(
            Context::new().extract(&of(&[(LANE_KEY, lane)])).lane().is_none(),
            "{lane}"
        );
    }
    let context = full().extract(&of(&[
        (LANE_KEY, "a b"),
        (TRACEPARENT_KEY, "00"),
        (TRACESTATE_KEY, "c=3"),
    ]));
    assert_eq!(context.lane(), full().lane());
    assert_eq!(context.trace(), full().trace());
}

#[test]
fn what_is_not_ascii_in_baggage_loses_nothing_else() {
    let said = b"user=J\xfcrgen,\xff=1,city=K\xc3\xb6ln;p=\xff,x-md-global-color=red,b=2".as_slice();
    let value = HeaderValue::from_bytes(said).expect("HTTP lets it through");
    let mut metadata = Metadata::new();
    let key = MetadataKey::text(BAGGAGE_KEY).expect("a key");
    metadata.push(key, MetadataValue::from_header(value));
    let context = Context::new().extract(&metadata);
    assert_eq!(context.lane(), full().lane());
    let members: Vec<_> = context.baggage().iter().collect();
    assert_eq!(
        members,
        [("user", "J\u{fffd}rgen"), ("city", "K\u{f6}ln"), ("b", "2")]
    );
    assert!(context.baggage().to_string().is_ascii(), "it can go on");
}

#[test]
fn headers_that_come_twice() {
    let other = PARENT.replace("0af7", "0af8");
    let context = Context::new().extract(&of(&[
        (TRACESTATE_KEY, "a=1"),
        (TRACEPARENT_KEY, PARENT),
        (TRACEPARENT_KEY, &other),
        (TRACESTATE_KEY, "b=2"),
        (BAGGAGE_KEY, "c=3"),
        (BAGGAGE_KEY, "d=4"),
        (LANE_KEY, "red"),
        (LANE_KEY, "blue"),
    ]));
    let trace = context.trace().expect("it is well-formed");
    assert_eq!((trace.to_string().as_str(), trace.state()), (PARENT, "a=1,b=2"));
    assert_eq!(context.baggage().to_string(), "c=3,d=4");
    assert_eq!(context.lane().map(Lane::as_str), Some("red"));
}

#[tokio::test]
async fn a_handler_hands_it_on() -> Result<()> {
    let seen = Numbers::new()
        .on_one(|_| {
            let is_full = Context::with_current(|context| {
                context.lane() == full().lane()
                    && context.trace() == full().trace()
                    && context.baggage() == full().baggage()
            });
            async move { Ok(Response::new(is_full.into())) }
        })
        .channel();
    assert_eq!(one(&seen, 0).await?, 0, "outside of any call there is none");
    let relay = {
        // As long as the test runs, so that its calls can go to other tasks.
        let seen: &'static _ = Box::leak(Box::new(seen));
        Numbers::new()
            .on_one(move |_| {
                // The context is taken on when the stub is called, wherever the future is then awaited.
                let call = client::unary(seen, &ONE, Request::new(0));
                async move { tokio::spawn(call).await.expect("no panic") }
            })
            .channel()
    };
    assert_eq!(full().scope(one(&relay, 0)).await?, 1);
    let response = client::unary(&relay, &ONE, Request::new(0).with_context(full())).await?;
    assert_eq!(response.into_inner(), 1);
    assert_eq!(
        full().enter(|| Context::current().lane().cloned()),
        full().lane().cloned()
    );
    Ok(())
}

#[tokio::test]
async fn metadata_moves_a_local_call_into_a_lane_as_well() -> Result<()> {
    let channel = Numbers::new()
        .on_one(|_| {
            let lane = Context::current().lane().map(|lane| lane.as_str().to_owned());
            async move { Ok(Response::new(u32::from(lane.as_deref() == Some("blue")))) }
        })
        .channel();
    let mut request = Request::new(0).with_context(full());
    request.metadata_mut().insert(LANE_KEY, "blue").expect("legal");
    assert_eq!(client::unary(&channel, &ONE, request).await?.into_inner(), 1);
    Ok(())
}

#[tokio::test]
async fn a_handler_knows_its_caller_and_does_not_pass_it_on() -> Result<()> {
    let inner = Numbers::new()
        .on_one(|_| {
            let protocol = Context::with_current(|context| context.caller().map(Caller::protocol));
            async move { Ok(Response::new(u32::from(protocol == Some("local")))) }
        })
        .channel();
    assert_eq!(one(&inner, 0).await?, 1);
    assert!(Context::current().caller().is_none());
    assert!(full().child().caller().is_none());
    Ok(())
}
