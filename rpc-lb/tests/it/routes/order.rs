//! In which order routers work.

use std::sync::Arc;

use rpc_core::{Call, ServiceDescriptor};
use rpc_lb::{
    ConditionRouter, LaneRouter, PercentageRouter, RouteKey, Router, TagRouter, ZoneRouter,
    route::{Candidates, Population, RouteConfig, Routers},
};

use crate::services::{ENCODED, SHOP};

#[derive(Debug)]
struct Own;

impl Router for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn key(&self, _: &Call<'_>, _: &Population) -> RouteKey {
        RouteKey::Plain
    }

    fn narrow(&self, _: &RouteKey, _: &mut Candidates<'_>) {}
}

fn names(routers: Routers) -> Vec<String> {
    let routers = routers.in_order();
    routers.iter().map(|router| router.name().to_owned()).collect()
}

#[test]
fn it_does_not_depend_on_the_order_of_setting_them() {
    let routers = Routers::new()
        .with_zone(ZoneRouter::new("a").unwrap())
        .with_percentage(PercentageRouter::default())
        .with_own(Arc::new(Own))
        .with_condition(ConditionRouter::default())
        .with_tag(TagRouter::new())
        .with_lane(LaneRouter::new());
    let expected = ["lane", "tag", "condition", "own", "percentage", "zone"];
    assert_eq!(names(routers), expected);
}

#[test]
fn one_document_has_all_of_them() {
    let config: RouteConfig = serde_json::from_str(
        r#"{
            "lanes": {"default": ["base"]},
            "group": {"from": {"metadata": "x-group"}},
            "tag": {},
            "conditions": [{"name": "a", "deny": true}],
            "percentages": [{"name": "b", "split": [{"weight": 1, "to": {"zone": "a"}}]}],
            "zone": {"zone": "a"}
        }"#,
    )
    .unwrap();
    let expected = ["lane", "group", "tag", "condition", "percentage", "zone"];
    assert_eq!(names(config.routers().unwrap()), expected);
    assert_eq!(names(RouteConfig::default().routers().unwrap()), ["lane"]);

    let unknown = serde_json::from_str::<RouteConfig>(r#"{"condition": []}"#).unwrap_err();
    assert!(
        unknown.to_string().contains("unknown field `condition`"),
        "{unknown}"
    );
    let twice: RouteConfig =
        serde_json::from_str(r#"{"conditions": [{"name": "a", "deny": true}, {"name": "a", "deny": true}]}"#)
            .unwrap();
    let error = twice.routers().unwrap_err();
    assert_eq!(error.to_string(), "`conditions[1].name`: `a` stands there twice");
}

#[test]
fn binding_looks_at_all_fields() {
    let bind = |field: &str, service: &'static ServiceDescriptor| {
        let by = format!(r#""by": {{"field": "{field}"}}, "split": [{{"weight": 1, "to": {{}}}}]"#);
        let from = format!(r#"{{"from": {{"field": "{field}"}}}}"#);
        [
            format!(r#"{{"group": {from}}}"#),
            format!(r#"{{"tag": {from}}}"#),
            format!(r#"{{"conditions": [{{"name": "a", {by}}}]}}"#),
            format!(r#"{{"percentages": [{{"name": "a", {by}}}]}}"#),
        ]
        .map(|routes| {
            let mut routes: RouteConfig = serde_json::from_str(&routes).unwrap();
            routes.bind(&[service]).map_err(|error| error.path().to_owned())
        })
    };
    let refused = ["group.from", "tag.from", "conditions[0].by", "percentages[0].by"];
    assert_eq!(bind("user", &SHOP), [const { Ok(()) }; 4]);
    assert_eq!(bind("usr", &SHOP), refused.map(|path| Err(path.to_owned())));
    assert_eq!(bind("user", &ENCODED), refused.map(|path| Err(path.to_owned())));
}

#[test]
fn a_field_is_that_of_a_method_which_the_rule_means() {
    let bind = |method: &str| {
        let mut routes: RouteConfig = serde_json::from_str(&format!(
            r#"{{"percentages": [{{
                "name": "a", "when": [{{"on": "method", "equals": "{method}"}}],
                "by": {{"field": "user"}}, "split": [{{"weight": 1, "to": {{}}}}]
            }}]}}"#
        ))
        .unwrap();
        routes.bind(&[&SHOP]).map_err(|error| error.to_string())
    };
    assert_eq!(bind("Place"), Ok(()));
    let error = bind("Import").unwrap_err();
    assert!(
        error.starts_with("`percentages[0].by`: requests of `/test.v1.Shop/Import`: they are a stream"),
        "{error}"
    );
}
