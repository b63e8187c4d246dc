//! Matchers as rules write them, and what is refused.

use rpc_core::{
    BuildError,
    matcher::{Condition, Matcher, Predicate},
};

use super::{matcher, refused};

#[derive(Debug, serde::Deserialize)]
struct Rule {
    when: Matcher,
}

#[test]
fn toml_and_json_say_the_same() {
    let rule: Rule = toml::from_str(
        r#"
        [[when]]
        on = "service"
        equals = "shop.v1.Inventory"

        [[when]]
        on = { metadata = "x-tenant" }
        in = ["acme", 7, true, 1.5]
        not = true

        [[when]]
        on.field = "order.items[*].sku"
        prefix = ["A", "B"]

        [[when]]
        on = { baggage = "user" }
        percent = 2.5
        salt = "spring"

        [[when]]
        any = [
            { on = "lane", exists = false },
            { on = "caller_address", cidr = "10.0.0.0/8" },
            { on = "request", hash = { modulo = 10, in = [0, 1] } },
            { on = "caller", regex = "cart-.*" },
        ]
        "#,
    )
    .expect("a rule");
    let json = matcher(
        r#"[
        {"on": "service", "equals": "shop.v1.Inventory"},
        {"on": {"metadata": "x-tenant"}, "in": ["acme", 7, true, 1.5], "not": true},
        {"on": {"field": "order.items[*].sku"}, "prefix": ["A", "B"]},
        {"on": {"baggage": "user"}, "percent": 2.5, "salt": "spring"},
        {"any": [
            {"on": "lane", "exists": false},
            {"on": "caller_address", "cidr": "10.0.0.0/8"},
            {"on": "request", "hash": {"modulo": 10, "in": [0, 1]}},
            {"on": "caller", "regex": "cart-.*"}
        ]}
    ]"#,
    );
    let built = Matcher::new([
        Condition::service(Predicate::equals("shop.v1.Inventory")),
        Condition::metadata(
            "x-tenant",
            serde_json::from_str(r#"{"in": ["acme", 7, true, 1.5], "not": true}"#).expect("a predicate"),
        ),
        Condition::field(
            "order.items[*].sku",
            serde_json::from_str(r#"{"prefix": ["A", "B"]}"#).expect("a predicate"),
        )
        .expect("a path"),
        Condition::baggage(
            "user",
            Predicate::percent(2.5).expect("a percentage").salted("spring"),
        ),
        Condition::any([
            Condition::lane(Predicate::exists().negated()),
            Condition::caller_address(Predicate::cidr(["10.0.0.0/8"]).expect("a network")),
            Condition::on(
                rpc_core::matcher::Subject::Request,
                Predicate::hash(10, [0, 1]).expect("below"),
            ),
            Condition::caller(Predicate::regex("cart-.*").expect("an expression")),
        ]),
    ])
    .expect("sound");
    assert_eq!(rule.when, json);
    // `exists = false` and `not` beside `exists = true` are two ways to say one thing.
    let normal = |matcher: &Matcher| {
        let text = serde_json::to_string(matcher).expect("a document");
        text.replace(r#""exists":true,"not":true"#, r#""exists":false"#)
    };
    assert_eq!(normal(&built), normal(&json));
    assert_eq!(matcher(&normal(&json)), json);
    assert!(json.needs_fields() && json.needs_request_key());
}

#[test]
fn mistakes_have_their_place() {
    for (json, problem) in [
        (
            r#"[{"on": "lane", "equals": "a"}, {"on": "method", "regex": "("}]"#,
            "`[1].regex`: not a regular",
        ),
        (
            r#"[{"any": [{"on": "lane", "exists": true}, {"on": "lane", "in": []}]}]"#,
            "`[0].any[1].in`: it is empty",
        ),
        (r#"[{"all": []}]"#, "`[0].all`: it is empty"),
        (r#"[{"equals": 1}]"#, "`[0]`: write one of `on`, `any` and `all`"),
        (r#"[{"on": "lane", "any": []}]"#, "`[0]`: write one of"),
        (
            r#"[{"on": "lane"}]"#,
            "`[0]`: a question is missing: write `equals`",
        ),
        (
            r#"[{"any": [{"on": "lane", "exists": true}], "equals": 1}]"#,
            "`[0].equals`: only `not` stands beside `any`",
        ),
        (
            r#"[{"on": {"metadata": "X-Tenant"}, "exists": true}]"#,
            "`[0].on.metadata`",
        ),
        (
            r#"[{"on": {"metadata": "grpc-timeout"}, "exists": true}]"#,
            "`[0].on.metadata`",
        ),
        (
            r#"[{"on": {"baggage": ""}, "exists": true}]"#,
            "`[0].on.baggage`: it is empty",
        ),
        (
            r#"[{"on": {"field": "a..b"}, "exists": true}]"#,
            "not the path of a field: a name is missing",
        ),
        (
            r#"[{"on": "tenant", "exists": true}]"#,
            "unknown variant `tenant`, expected one of `service`, `method`",
        ),
        (
            r#"[{"on": "lane", "lane": 1}]"#,
            "unknown field `lane`, expected one of `on`, `any`",
        ),
        (
            r#"[{"on": "lane", "on": "lane", "exists": true}]"#,
            "duplicate field `on`",
        ),
        (r#"["lane"]"#, "a condition: a table with `on`"),
    ] {
        let error = refused(json);
        assert!(error.contains(problem), "{json}: {error}");
    }
}

#[test]
fn conditions_are_bounded() {
    let one = r#"{"on": "lane", "exists": true}"#;
    let many = |count: usize| format!("[{}]", vec![one; count].join(","));
    assert_eq!(matcher(&many(64)).conditions().len(), 64);
    assert!(refused(&many(65)).contains("`[64]`: there are more than 64 conditions"));
    // Those inside count as well.
    let nested = format!(r#"[{{"any": {}}}]"#, many(64));
    assert!(refused(&nested).contains("`[0].any[63]`: there are more than 64"));

    let deep = |levels: usize| {
        let (open, close) = (r#"[{"any": "#.repeat(levels), "}]".repeat(levels));
        format!("{open}[{one}]{close}")
    };
    assert_eq!(matcher(&deep(4)).conditions().len(), 1);
    assert!(refused(&deep(5)).contains("nest more than 4 levels deep"));
    let long = "a".repeat(257);
    assert!(
        refused(&format!(
            r#"[{{"on": {{"metadata": "{long}"}}, "exists": true}}]"#
        ))
        .contains("longer than 256")
    );
}

#[test]
fn errors_move_into_the_rule_around() {
    let wrong = Condition::method(Predicate::one_of([""; 0]));
    let error = Matcher::new([Condition::lane(Predicate::exists()), wrong]).expect_err("empty");
    assert_eq!(error.path(), "[1].in");
    assert_eq!(error.problem(), "it is empty");
    let error = error.within("routes[0].when");
    assert_eq!(error.path(), "routes[0].when[1].in");
    assert_eq!(
        BuildError::from(error).to_string(),
        "`routes[0].when[1].in`: it is empty"
    );
}
