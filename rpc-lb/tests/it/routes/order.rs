//! In which order routers work.

use std::sync::Arc;

use rpc_core::Call;
use rpc_lb::{
    ConditionRouter, LaneRouter, PercentageRouter, RouteKey, Router, TagRouter, ZoneRouter,
    route::{Candidates, Population, RouteConfig, Routers},
};

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
