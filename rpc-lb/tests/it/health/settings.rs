//! Settings as they are written.

use std::time::Duration;

use rpc_lb::HealthConfig;

fn read(text: &str) -> Result<HealthConfig, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn nothing_written_is_the_defaults() {
    assert_eq!(read("{}").unwrap(), HealthConfig::default());
    HealthConfig::default().check().unwrap();
    HealthConfig::off().check().unwrap();
}

#[test]
fn what_is_written_counts_and_the_rest_are_defaults() {
    let config = read(
        r#"{"panic": 0.3, "eject": {"base": "1m", "consecutive": 3, "latency": {"enabled": false}},
            "slow_start": {"window": "0s"}}"#,
    )
    .unwrap();
    assert!((config.panic - 0.3).abs() < 1e-6);
    assert_eq!(config.eject.base, Duration::from_mins(1));
    assert_eq!(config.eject.consecutive, 3);
    assert_eq!(config.eject.max, Duration::from_mins(5));
    assert!(!config.eject.latency.enabled);
    assert_eq!(config.slow_start.window, Duration::ZERO);
    config.check().unwrap();
}

#[test]
fn what_is_not_known_is_refused() {
    let error = read(r#"{"eject": {"bass": "1m"}}"#).unwrap_err();
    assert!(error.contains("bass") && error.contains("base"), "{error}");
    let error = read(r#"{"eject": {"base": 30}}"#).unwrap_err();
    assert!(error.contains("invalid type"), "{error}");
    let error = read(r#"{"eject": {"base": "30 years"}}"#).unwrap_err();
    assert!(error.contains("no duration"), "{error}");
}

#[test]
fn what_makes_no_sense_is_named() {
    let path = |text: &str| read(text).unwrap().check().unwrap_err().path().to_owned();
    assert_eq!(path(r#"{"panic": 1.5}"#), "panic");
    assert_eq!(path(r#"{"eject": {"base": "10m"}}"#), "eject.max");
    assert_eq!(path(r#"{"eject": {"max_percent": 101}}"#), "eject.max_percent");
    assert_eq!(path(r#"{"eject": {"sweep": "1ms"}}"#), "eject.sweep");
    assert_eq!(
        path(r#"{"eject": {"latency": {"factor": 1}}}"#),
        "eject.latency.factor"
    );
    assert_eq!(
        path(r#"{"eject": {"latency": {"min_hosts": 2}}}"#),
        "eject.latency.min_hosts"
    );
    assert_eq!(
        path(r#"{"slow_start": {"aggression": 0}}"#),
        "slow_start.aggression"
    );
    assert_eq!(path(r#"{"slow_start": {"min": -1}}"#), "slow_start.min");
}
