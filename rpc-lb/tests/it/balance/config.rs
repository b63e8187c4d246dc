//! Balancers by name.

use rpc_core::ServiceDescriptor;
use rpc_lb::BalancerConfig;

use crate::services::{ENCODED, SHOP};

fn parse(text: &str) -> Result<BalancerConfig, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn each_kind_is_built_by_its_name() {
    for kind in [
        "round_robin",
        "weighted",
        "random",
        "p2c",
        "least_request",
        "shortest_response",
        "smart",
    ] {
        let config = parse(&format!(r#"{{ "kind": "{kind}" }}"#)).unwrap();
        assert_eq!(config.build().unwrap().name(), kind);
        let unknown = parse(&format!(r#"{{ "kind": "{kind}", "chioces": 3 }}"#)).unwrap_err();
        assert!(unknown.contains("chioces"), "{unknown}");
    }
    let error = parse(r#"{ "kind": "p3c" }"#).unwrap_err();
    assert!(
        error.contains("p3c") && error.contains("least_request"),
        "{error}"
    );
}

#[test]
fn what_is_out_of_range_is_named() {
    for (text, path) in [
        (
            r#"{ "kind": "least_request", "choices": 1 }"#,
            "least_request.choices",
        ),
        (
            r#"{ "kind": "least_request", "active_request_bias": -1.0 }"#,
            "least_request.active_request_bias",
        ),
        (
            r#"{ "kind": "shortest_response", "choices": 11 }"#,
            "shortest_response.choices",
        ),
        (r#"{ "kind": "smart", "cpu": -2.0 }"#, "smart.cpu"),
        (
            r#"{ "kind": "smart", "in_flight": 0.0, "state": 0.0 }"#,
            "smart.state",
        ),
        (
            r#"{ "kind": "smart", "report_expiry_ms": 0 }"#,
            "smart.report_expiry_ms",
        ),
        // No call of a client ever has these.
        (
            r#"{ "kind": "ring_hash", "key": { "metadata": "X-User" } }"#,
            "ring_hash.key",
        ),
        (r#"{ "kind": "maglev", "key": "caller" }"#, "maglev.key"),
        (r#"{ "kind": "maglev", "key": { "baggage": "" } }"#, "maglev.key"),
    ] {
        let error = parse(text).unwrap().build().unwrap_err();
        assert_eq!(error.path(), path);
        assert!(error.to_string().starts_with(&format!("`{path}` ")), "{error}");
    }
}

#[test]
fn fields_that_are_hashed_are_those_of_requests() {
    let bind = |key: &str, service: &'static ServiceDescriptor| {
        let config = parse(&format!(r#"{{ "kind": "ring_hash", "key": {key} }}"#)).unwrap();
        config.bind(&[service]).map_err(|error| error.to_string())
    };
    assert_eq!(bind(r#"{ "field": "user" }"#, &SHOP), Ok(()));
    assert_eq!(bind(r#"{ "metadata": "x-user" }"#, &SHOP), Ok(()));
    assert_eq!(bind(r#""extension""#, &SHOP), Ok(()));
    assert_eq!(
        bind(r#"{ "field": "usr" }"#, &SHOP).unwrap_err(),
        "`ring_hash.key` is nothing that calls have: requests of `/test.v1.Shop/Place`: `usr` is not there; there are: `user`"
    );
    let none = bind(r#"{ "field": "user" }"#, &ENCODED).unwrap_err();
    assert!(none.contains("there is no way to find fields"), "{none}");
}

#[test]
fn settings_are_taken() {
    let text = r#"{ "kind": "least_request", "choices": 10, "active_request_bias": 0.5 }"#;
    assert!(parse(text).unwrap().build().is_ok());
    let text = r#"{ "kind": "smart", "cpu": 4, "tp999": 0, "report_expiry_ms": 3000 }"#;
    assert!(parse(text).unwrap().build().is_ok());
}
