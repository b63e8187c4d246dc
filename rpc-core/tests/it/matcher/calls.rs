//! Each part of a call that can be looked at, and what holds where it is not there.

use std::sync::Arc;

use rpc_core::{
    Context,
    context::{Baggage, Caller, Lane, TraceContext},
    matcher::{Condition, Matcher, Predicate, RequestKey, Subject, hash64},
};

use super::{call, matcher};

#[test]
fn no_condition_is_every_call() {
    assert!(Matcher::every().matches(&call()));
    assert!(matcher("[]").matches(&call()));
}

#[test]
fn all_conditions_must_hold() {
    let service = Condition::service(Predicate::equals("shop.v1.Inventory"));
    let stock = Condition::method(Predicate::equals("Stock"));
    let other = Condition::method(Predicate::equals("Reserve"));
    let both = Matcher::new([service.clone(), stock]).expect("sound");
    assert!(both.matches(&call()));
    let one = Matcher::new([service, other]).expect("sound");
    assert!(!one.matches(&call()));
}

#[test]
fn methods_have_a_name_and_a_path() {
    for fits in [
        r#"[{"on": "method", "equals": "Stock"}]"#,
        r#"[{"on": "method", "equals": "/shop.v1.Inventory/Stock"}]"#,
        r#"[{"on": "method", "prefix": "/shop.v1."}]"#,
        r#"[{"on": "service", "regex": "shop[.].*"}]"#,
        r#"[{"on": "method", "in": ["Reserve", "Stock"]}]"#,
        r#"[{"on": "method", "equals": "Reserve", "not": true}]"#,
    ] {
        assert!(matcher(fits).matches(&call()), "{fits}");
    }
    for not in [
        r#"[{"on": "method", "equals": "stock"}]"#,
        r#"[{"on": "service", "regex": "shop"}]"#,
        r#"[{"on": "method", "equals": "Stock", "not": true}]"#,
    ] {
        assert!(!matcher(not).matches(&call()), "{not}");
    }
}

#[test]
fn metadata_has_any_number_of_values() {
    let mut call = call();
    let one = matcher(r#"[{"on": {"metadata": "x-tenant"}, "equals": "acme"}]"#);
    let other = matcher(r#"[{"on": {"metadata": "x-tenant"}, "equals": "acme", "not": true}]"#);
    let exists = matcher(r#"[{"on": {"metadata": "x-tenant"}, "exists": true}]"#);
    let missing = matcher(r#"[{"on": {"metadata": "x-tenant"}, "exists": false}]"#);
    assert!(!one.matches(&call) && other.matches(&call));
    assert!(!exists.matches(&call) && missing.matches(&call));

    call.metadata.append("x-tenant", "beta").expect("legal");
    assert!(!one.matches(&call) && other.matches(&call));
    call.metadata.append("x-tenant", "acme").expect("legal");
    assert!(one.matches(&call) && !other.matches(&call));
    assert!(exists.matches(&call) && !missing.matches(&call));
}

#[test]
fn metadata_may_be_bytes() {
    let mut call = call();
    call.metadata
        .insert_bin("x-token-bin", b"abc".as_slice())
        .expect("legal");
    assert!(matcher(r#"[{"on": {"metadata": "x-token-bin"}, "equals": "abc"}]"#).matches(&call));
    assert!(!matcher(r#"[{"on": {"metadata": "x-token-bin"}, "equals": "abd"}]"#).matches(&call));
}

#[test]
fn no_lane_is_the_base_lane() {
    let base = matcher(r#"[{"on": "lane", "exists": false}]"#);
    let gray = matcher(r#"[{"on": "lane", "prefix": "gray"}]"#);
    let mut call = call();
    assert!(base.matches(&call) && !gray.matches(&call));
    call.context = Context::new().with_lane(Lane::new("gray-1").expect("legal"));
    assert!(!base.matches(&call) && gray.matches(&call));
}

#[test]
fn baggage_is_looked_up_by_name() {
    let gold = matcher(r#"[{"on": {"baggage": "tier"}, "in": ["gold", "silver"]}]"#);
    let mut call = call();
    assert!(!gold.matches(&call));
    let baggage = Baggage::new().with("tier", "gold").expect("legal");
    call.context = Context::new().with_baggage(baggage);
    assert!(gold.matches(&call));
}

#[test]
fn callers_have_a_name_and_an_address() {
    let cart = matcher(r#"[{"on": "caller", "equals": "cart"}]"#);
    let inside = matcher(r#"[{"on": "caller_address", "cidr": ["10.0.0.0/8", "fd00::/8"]}]"#);
    let outside = matcher(r#"[{"on": "caller_address", "cidr": "10.0.0.0/8", "not": true}]"#);
    let one = matcher(r#"[{"on": "caller_address", "equals": "10.1.2.3"}]"#);
    let mut call = call();
    assert!(!cart.matches(&call) && !inside.matches(&call) && outside.matches(&call));

    let from = |address: &str| {
        let address = address.parse().expect("an address");
        let caller = Caller::new("grpc").with_addresses(None, Some(address));
        Context::new().with_caller(Arc::new(caller.with_application("cart")))
    };
    call.context = from("10.1.2.3:4000");
    assert!(cart.matches(&call) && inside.matches(&call) && !outside.matches(&call) && one.matches(&call));
    call.context = from("[::ffff:10.1.2.3]:4000");
    assert!(inside.matches(&call) && one.matches(&call));
    call.context = from("[fd00::1]:4000");
    assert!(inside.matches(&call) && !one.matches(&call));
    call.context = from("unix:/run/10.sock");
    assert!(!inside.matches(&call));
    assert!(matcher(r#"[{"on": "caller_address", "prefix": "/run/"}]"#).matches(&call));
}

#[test]
fn a_client_has_no_caller() {
    let refused = |json: &str| {
        matcher(json)
            .check_for_client()
            .map_err(|error| error.to_string())
    };
    let no_caller =
        Err("there is no caller on the client's side: only a server's rules can look at it".to_owned());
    assert_eq!(refused(r#"[{"on": "caller", "exists": false}]"#), no_caller);
    assert_eq!(
        refused(r#"[{"any": [{"all": [{"on": "caller_address", "cidr": "::1", "not": true}]}]}]"#),
        no_caller
    );
    assert_eq!(
        refused(r#"[{"on": {"metadata": "x-caller"}, "exists": true}]"#),
        Ok(())
    );
    assert!(Subject::Caller.check_for_client().is_err() && Subject::Lane.check_for_client().is_ok());
}

#[test]
fn any_all_and_not_nest() {
    let rule = matcher(
        r#"[{"any": [
            {"on": "method", "equals": "Reserve"},
            {"all": [{"on": "method", "equals": "Stock"}, {"on": "lane", "exists": false}]}
        ]}, {"any": [{"on": "lane", "equals": "gray"}], "not": true}]"#,
    );
    let mut call = call();
    assert!(rule.matches(&call));
    call.context = Context::new().with_lane(Lane::new("gray").expect("legal"));
    assert!(!rule.matches(&call));
}

#[test]
fn a_share_is_sticky_by_its_key_and_grows_from_within() {
    let mut call = call();
    let rule = |percent: f64, salt: &str| {
        let predicate = Predicate::percent(percent).expect("a percentage").salted(salt);
        Matcher::new([Condition::metadata("x-user", predicate)]).expect("sound")
    };
    let (small, large, other) = (rule(10.0, ""), rule(30.0, ""), rule(10.0, "spring"));
    assert!(!rule(100.0, "").matches(&call), "there is no key");
    let (mut of_small, mut of_large, mut of_both) = (0, 0, 0);
    for user in 0..10_000 {
        call.metadata
            .insert("x-user", &format!("user-{user}"))
            .expect("legal");
        let (in_small, in_large) = (small.matches(&call), large.matches(&call));
        assert!(in_large || !in_small);
        assert_eq!(in_small, small.matches(&call));
        of_small += u32::from(in_small);
        of_large += u32::from(in_large);
        of_both += u32::from(in_small && other.matches(&call));
        assert!(rule(100.0, "").matches(&call) && !rule(0.0, "").matches(&call));
    }
    // The hash is fixed, so these are too.
    assert!((900..1100).contains(&of_small), "{of_small}");
    assert!((2800..3200).contains(&of_large), "{of_large}");
    assert!((50..150).contains(&of_both), "{of_both}");
}

#[test]
fn a_request_has_a_number_of_its_own() {
    let rule = Matcher::new([Condition::percent(50.0).expect("a percentage")]).expect("sound");
    assert!(rule.needs_request_key() && !rule.needs_fields());
    assert!(!matcher(r#"[{"on": "lane", "exists": true}]"#).needs_request_key());
    fastrand::seed(7);
    let mut chosen = 0;
    for _ in 0..1000 {
        let mut call = call();
        RequestKey::draw(&mut call);
        let first = rule.matches(&call);
        // Again, as the next attempt asks; also of the call once it was moved.
        RequestKey::draw(&mut call);
        assert_eq!(rule.matches(&call), first);
        assert_eq!(rule.matches(&call.take_owned()), first);
        chosen += u32::from(first);
    }
    assert!((430..570).contains(&chosen), "{chosen}");
}

#[test]
fn a_request_without_a_key_is_told_by_its_trace() {
    let rule = Matcher::new([Condition::percent(50.0).expect("a percentage")]).expect("sound");
    let mut by_trace = [0, 0];
    for id in 1..=200_u128 {
        let mut call = call();
        call.context = Context::new().with_trace(TraceContext::new(id, 1, true));
        let first = rule.matches(&call);
        assert!((0..5).all(|_| rule.matches(&call) == first));
        by_trace[usize::from(first)] += 1;
    }
    assert!(by_trace.iter().all(|count| *count > 60), "{by_trace:?}");
}

#[test]
fn a_hash_is_that_of_the_first_value() {
    let mut call = call();
    let rest = hash64(b"a", 0) % 4;
    let rule = matcher(&format!(
        r#"[{{"on": {{"metadata": "x-user"}}, "hash": {{"modulo": 4, "in": [{rest}]}}}}]"#
    ));
    call.metadata.append("x-user", "a").expect("legal");
    assert!(rule.matches(&call));
    let other = (0..100)
        .map(|i| format!("b{i}"))
        .find(|other| hash64(other.as_bytes(), 0) % 4 != rest);
    let other = other.expect("one in four");
    call.metadata.insert("x-user", &other).expect("legal");
    call.metadata.append("x-user", "a").expect("legal");
    assert!(!rule.matches(&call));
}

#[test]
fn the_hash_is_xxh64() {
    // From the reference implementation.
    assert_eq!(hash64(b"", 0), 0xef46_db37_51d8_e999);
    assert_eq!(hash64(b"a", 0), 0xd24e_c4f1_a98c_6e5b);
    assert_eq!(hash64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
}
