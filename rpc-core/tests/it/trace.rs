//! W3C trace context.

use proptest::prelude::*;
use rpc_core::context::TraceContext;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn version_00() {
    let trace = TraceContext::parse(PARENT).expect("well-formed");
    assert_eq!(trace.trace_id(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    assert_eq!(trace.parent_id(), 0xb7ad_6b71_6920_3331);
    assert!(trace.is_sampled() && trace.state().is_empty());
    assert_eq!(trace.to_string(), PARENT);
    assert_eq!(
        trace.clone().with_sampled(false).to_string(),
        PARENT.replace("-01", "-00")
    );
    // The flag of a random id is passed on, unknown ones are not.
    assert_eq!(
        TraceContext::parse(&PARENT.replace("-01", "-ff"))
            .expect("well-formed")
            .to_string(),
        PARENT.replace("-01", "-03")
    );
}

#[test]
fn versions_to_come() {
    for parent in ["cc-", "01-"].map(|version| PARENT.replacen("00-", version, 1)) {
        assert_eq!(
            TraceContext::parse(&parent).expect("understood").to_string(),
            PARENT
        );
        assert!(TraceContext::parse(&format!("{parent}-what-may-come")).is_some());
        assert!(TraceContext::parse(&format!("{parent}x")).is_none());
    }
}

#[test]
fn malformed_ones() {
    let wrong = [
        String::new(),
        "00".into(),
        format!("{PARENT}-"),
        format!(" {PARENT}"),
        PARENT.replacen("00-", "ff-", 1),
        PARENT.replacen("00-", "0x-", 1),
        PARENT.to_uppercase(),
        PARENT.replace("0af7", "+af7"),
        PARENT.replace('-', "_"),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01".into(),
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".into(),
    ];
    for parent in wrong {
        assert_eq!(TraceContext::parse(&parent), None, "{parent}");
    }
    assert_eq!(TraceContext::new(0, 1, true), None);
    assert_eq!(TraceContext::new(1, 0, true), None);
    assert_eq!(
        TraceContext::new(1, 1, true).and_then(|trace| trace.child(0)),
        None
    );
}

#[test]
fn the_state_is_opaque_and_bounded() {
    let trace = TraceContext::parse(PARENT).expect("well-formed");
    let state = |state: &str| trace.clone().with_state(state).state().to_owned();
    assert_eq!(
        state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
    );
    assert_eq!(state(" a@vendor=1 ,, b/c*d=x y\t"), "a@vendor=1,b/c*d=x y");
    for malformed in ["a", "=1", "A=1", "a=", "a=1=2", "a=\u{e4}", "a=1,b"] {
        assert_eq!(state(malformed), "", "{malformed}");
    }
    let many: Vec<String> = (0..33).map(|i| format!("k{i}=v")).collect();
    assert_eq!(state(&many[..32].join(",")), many[..32].join(","));
    assert_eq!(state(&many.join(",")), "", "there are at most 32");

    let long = format!("a=1,long={},b=2,c={}", "x".repeat(200), "y".repeat(120));
    let longer = format!("{long},d={},e={}", "z".repeat(120), "w".repeat(120));
    assert_eq!(state(&long), long);
    let kept = state(&longer);
    assert!(
        kept.len() <= TraceContext::MAX_STATE_LEN && !kept.contains("long="),
        "{kept}"
    );
    assert!(kept.starts_with("a=1,b=2,c="));
}

proptest! {
    #[test]
    fn any_position_round_trips(trace_id in 1_u128.., parent_id in 1_u64.., sampled: bool) {
        let trace = TraceContext::new(trace_id, parent_id, sampled).expect("not zero");
        prop_assert_eq!(TraceContext::parse(&trace.to_string()), Some(trace));
    }

    #[test]
    fn any_text_is_read_without_harm(parent in ".{0,80}", state in ".{0,600}") {
        let _ = TraceContext::parse(&parent);
        let trace = TraceContext::parse(PARENT).expect("well-formed").with_state(&state);
        prop_assert!(trace.state().len() <= TraceContext::MAX_STATE_LEN);
        prop_assert_eq!(trace.clone().with_state(trace.state()), trace);
    }

    #[test]
    fn any_hex_is_read_without_harm(parent in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,9})?") {
        if let Some(trace) = TraceContext::parse(&parent) {
            prop_assert_eq!(&trace.to_string()[3..53], &parent[3..53]);
        }
    }
}
