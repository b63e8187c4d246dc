//! What is asked of a value.

use proptest::prelude::*;
use rpc_core::{
    matcher::{Predicate, Scalar},
    message::FieldValue,
    net::Address,
};

fn predicate(json: &str) -> Predicate {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

fn refused(json: &str) -> String {
    match serde_json::from_str::<Predicate>(json) {
        Ok(predicate) => panic!("{predicate:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_value_alone_is_equality() {
    assert_eq!(predicate(r#""gold""#), Predicate::equals("gold"));
    assert_eq!(predicate("7"), Predicate::equals(7));
    assert_eq!(predicate("true"), Predicate::equals(true));
}

#[test]
fn numbers_are_compared_as_numbers() {
    let seven = Predicate::equals(7);
    assert!(seven.test(7_u64) && seven.test(7_i8) && seven.test(7.0) && seven.test("7") && seven.test("7.0"));
    assert!(!seven.test(8) && !seven.test("seven") && !seven.test(true) && !seven.test(""));
    // Text stays text.
    assert!(!Predicate::equals("7").test(7));
    // Not rounded to a float.
    let large = Predicate::equals(u64::MAX);
    assert!(large.test(u64::MAX) && large.test("18446744073709551615") && !large.test(u64::MAX - 1));
    assert!(!large.test("nan") && !Predicate::at_least(0).test("inf"));
}

#[test]
fn truth_values_are_text_too() {
    let truth = Predicate::equals(true);
    assert!(truth.test(true) && truth.test("true"));
    assert!(!truth.test(false) && !truth.test("yes") && !truth.test(1));
}

#[test]
fn ranges_have_both_ends() {
    let range = predicate(r#"{"range": {"min": 1, "max": 2.5}}"#);
    assert!(range.test(1) && range.test(2.5) && range.test("2"));
    assert!(!range.test(0) && !range.test(2.6) && !range.test("two"));
    assert!(Predicate::at_least(-1).test(u64::MAX) && Predicate::at_most(-1).test(i64::MIN));
}

#[test]
fn text_is_compared_by_bytes() {
    let prefix = predicate(r#"{"prefix": ["eu-", "us-"]}"#);
    assert!(prefix.test("us-1") && !prefix.test("Us-1") && !prefix.test("u"));
    assert_eq!(predicate(r#"{"prefix": "eu-"}"#), Predicate::prefix("eu-"));
}

#[test]
fn expressions_fit_as_a_whole() {
    let regex = Predicate::regex("v[12]|v3x").expect("an expression");
    assert!(
        regex.test("v1") && regex.test("v3x") && !regex.test("v12") && !regex.test("av1") && !regex.test(1)
    );
    // What would close a group around it is no expression.
    assert!(Predicate::regex("a)|(b").is_err());
    // Lines are no ends.
    assert!(!Predicate::regex("a").expect("an expression").test("a\nb"));
    assert!(
        !Predicate::regex(".*")
            .expect("an expression")
            .test("a".repeat(8193).as_str())
    );
}

#[test]
fn expressions_are_bounded() {
    for (expression, problem) in [
        ("a".repeat(513), "longer than 512 bytes"),
        ("(a{100}){100}{100}".to_owned(), "compiled"),
        ("(".repeat(40) + &")".repeat(40), "nest"),
        (
            "[".to_owned(),
            "not a regular expression: unclosed character class",
        ),
        ("(?x)a # never closed".to_owned(), "not a regular expression"),
    ] {
        let error = Predicate::regex(&expression).expect_err("it is refused");
        assert_eq!(error.path(), "regex");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn addresses_are_in_networks() {
    let cidr = Predicate::cidr(["10.0.0.0/8", "192.168.1.7", "fd00::/8"]).expect("networks");
    for inside in [
        "10.255.0.1",
        "10.0.0.1:80",
        "192.168.1.7",
        "fd12::1",
        "[fd12::1]:80",
        "::ffff:10.1.1.1",
    ] {
        assert!(cidr.test(inside), "{inside}");
    }
    for outside in ["11.0.0.1", "192.168.1.8", "fe80::1", "shop", "10.0.0", ""] {
        assert!(!cidr.test(outside), "{outside}");
    }
    let host: Address = "shop.internal:80".parse().expect("an address");
    assert!(!cidr.test_address(&host));
    assert!(Predicate::equals("shop.internal").test_address(&host));
    let error = Predicate::cidr(["10.0.0.0/8", "10.0.0.0/33"]).expect_err("no network");
    assert_eq!(error.path(), "cidr[1]");
}

#[test]
fn nothing_there_is_only_missing() {
    let absent = None::<&str>;
    assert!(!Predicate::equals("a").test_option(absent));
    assert!(Predicate::equals("a").negated().test_option(absent));
    assert!(!Predicate::exists().test_option(absent) && Predicate::exists().test_option(Some("")));
    assert!(Predicate::exists().negated().test_option(absent));
    assert!(predicate(r#"{"exists": false}"#).test_option(absent));
    assert!(!predicate(r#"{"exists": false}"#).test(""));
}

#[test]
fn a_value_and_its_text_hash_alike() {
    let percent = Predicate::percent(50.0).expect("a percentage");
    for number in 0..100_i64 {
        assert_eq!(percent.test(number), percent.test(number.to_string().as_str()));
        assert_eq!(percent.test(number), percent.test(number.unsigned_abs()));
    }
    let half = predicate(r#"{"hash": {"modulo": 2, "in": [0]}}"#);
    let other = predicate(r#"{"hash": {"modulo": 2, "in": [1]}}"#);
    assert!((0..100).all(|number| half.test(number) != other.test(number)));
    assert!(!half.test(FieldValue::Composite));
}

#[test]
fn mistakes_are_named() {
    for (json, problem) in [
        ("{}", "a question is missing"),
        (r#"{"not": true}"#, "a question is missing"),
        (
            r#"{"equal": 1}"#,
            "unknown field `equal`, expected one of `equals`, `in`",
        ),
        (r#"{"equals": 1, "in": [1]}"#, "`equals` and `in` in one table"),
        (
            r#"{"equals": 1, "salt": "a"}"#,
            "`salt`: it belongs to `hash` and `percent`",
        ),
        (r#"{"equals": [1]}"#, "a text, a number, or `true` or `false`"),
        (r#"{"in": []}"#, "`in`: it is empty"),
        (r#"{"range": {}}"#, "`range`: write `min`, `max` or both"),
        (
            r#"{"range": {"min": 2, "max": 1}}"#,
            "`range`: nothing is from 2 to 1",
        ),
        (r#"{"range": {"min": "a"}}"#, "`range.min`: \"a\" is not a number"),
        (r#"{"range": {"from": 1}}"#, "unknown field `from`"),
        (r#"{"percent": 101}"#, "`percent`: write a number from 0 to 100"),
        (r#"{"hash": {"modulo": 0, "in": [0]}}"#, "`hash.modulo`: it is 0"),
        (
            r#"{"hash": {"modulo": 2, "in": [1, 2]}}"#,
            "`hash.in[1]`: a rest is below `modulo`: write 0 to 1",
        ),
        (
            r#"{"cidr": "here"}"#,
            "`cidr[0]`: `here` is not a network: write `10.0.0.0/8`",
        ),
        (r#"{"regex": "("}"#, "`regex`: not a regular expression"),
        ("[]", "a table with `equals`"),
    ] {
        let error = refused(json);
        assert!(error.contains(problem), "{json}: {error}");
    }
    let long = "a".repeat(1025);
    assert!(refused(&format!(r#"{{"equals": "{long}"}}"#)).contains("longer than 1024 bytes"));
    assert!(refused(&format!(r#"{{"in": [{}1]}}"#, "1,".repeat(256))).contains("more than 256 entries"));
    assert!(Predicate::equals(f64::NAN).check().is_err());
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<i64>().prop_map(Scalar::from),
        any::<u64>().prop_map(Scalar::from),
        any::<bool>().prop_map(Scalar::from),
        any::<i32>().prop_map(|eighths| Scalar::from(f64::from(eighths) / 8.0)),
        ".{0,20}".prop_map(Scalar::from),
    ]
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    let plain = prop_oneof![
        scalar().prop_map(Predicate::equals),
        prop::collection::vec(scalar(), 1..5).prop_map(Predicate::one_of),
        (any::<i32>(), 0..1000_i64).prop_map(|(min, more)| Predicate::between(min, i64::from(min) + more)),
        any::<i64>().prop_map(Predicate::at_most),
        ".{0,20}".prop_map(|prefix| Predicate::prefix(&prefix)),
        "[a-c]{0,5}[.][*+?]?".prop_map(|regex| Predicate::regex(&regex).expect("an expression")),
        (any::<u32>(), 0..=32_u8).prop_map(|(ip, bits)| {
            let network = format!("{}/{bits}", std::net::Ipv4Addr::from_bits(ip));
            Predicate::cidr([network.as_str()]).expect("a network")
        }),
        (1..1000_u64, 0..1000_u64)
            .prop_map(|(modulo, rest)| { Predicate::hash(modulo, [rest % modulo]).expect("below") }),
        (0..=1_000_000_u32)
            .prop_map(|share| { Predicate::percent(f64::from(share) / 10_000.0).expect("at most 100") }),
        Just(Predicate::exists()),
    ];
    (plain, any::<bool>(), "[a-z]{0,5}").prop_map(|(plain, not, salt)| {
        let salted = plain.salted(&salt);
        if not { salted.negated() } else { salted }
    })
}

proptest! {
    /// What is written is read the same, and decides the same.
    #[test]
    fn documents_survive(predicate in any_predicate(), value in scalar()) {
        let json = serde_json::to_string(&predicate).expect("it is a document");
        let again: Predicate = serde_json::from_str(&json).expect("it is read again");
        let text = value.to_string();
        prop_assert_eq!(predicate.test(text.as_str()), again.test(text.as_str()));
        prop_assert_eq!(serde_json::to_string(&again).expect("a document"), json);
    }

    /// Whatever a document says, it is read or refused.
    #[test]
    fn nothing_panics(key in "equals|in|range|prefix|regex|cidr|hash|percent|exists|not|salt|on", value in "[-0-9\\[\\]{}\",:a-z.*+()?/]{0,30}") {
        let text = format!("{{\"{key}\": {value}}}");
        if let Ok(predicate) = serde_json::from_str::<Predicate>(&text) {
            predicate.check().expect("what is read is sound");
            predicate.test("10.0.0.1");
        }
        let quoted = serde_json::to_string(&value).expect("text");
        let _ = serde_json::from_str::<Predicate>(&format!("{{\"{key}\": {quoted}}}"));
    }
}
