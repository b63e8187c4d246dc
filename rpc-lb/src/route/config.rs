//! The settings of all routers in one document.

use rpc_core::{
    ServiceDescriptor,
    matcher::{Matcher, Subject},
};
use serde::Deserialize;

use super::{
    ConditionRouter, GroupRouter, LaneRouter, PercentageRouter, RouteError, Routers, TagRouter, ZoneRouter,
    condition::ConditionRule, error::matching, group::GroupConfig, lane::LaneFallbacks,
    percentage::PercentageRule, tag::TagConfig, zone::ZoneConfig,
};

/// The settings of all routers in one document. What is missing is not there, but for the lane router, which has its defaults.
///
/// ```
/// use rpc_lb::route::RouteConfig;
///
/// let config: RouteConfig = serde_json::from_str(
///     r#"{
///         "conditions": [{
///             "name": "reports",
///             "when": [{"on": "method", "prefix": "/shop.v1.Reports/"}],
///             "to": {"metadata": {"role": "batch"}}
///         }],
///         "zone": {"zone": "a"}
///     }"#,
/// )?;
/// let routers = config.routers()?.in_order();
/// assert_eq!(routers.iter().map(|router| router.name()).collect::<Vec<_>>(), ["lane", "condition", "zone"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RouteConfig {
    /// Where the requests of a lane go that has no endpoint.
    pub lanes: LaneFallbacks,
    /// The group router.
    pub group: Option<GroupConfig>,
    /// The tag router.
    pub tag: Option<TagConfig>,
    /// The rules of the condition router.
    pub conditions: Vec<ConditionRule>,
    /// The rules of the percentage router.
    pub percentages: Vec<PercentageRule>,
    /// The zone router.
    pub zone: Option<ZoneConfig>,
}

impl RouteConfig {
    /// Makes sure that the fields of requests that rules look at can be found in these services' requests, and prepares finding
    /// them: see [`Matcher::bind`] for `when`, and [`Subject::bind`] for `by` and `from`.
    ///
    /// # Errors
    /// If a field cannot be found; the error says which rule looks at it, and what there is.
    pub fn bind(&mut self, services: &[&ServiceDescriptor]) -> Result<(), RouteError> {
        let services = || services.iter().copied();
        let rule = |(when, by): (&mut Matcher, Option<&Subject>), path: String| {
            when.bind(services())
                .map_err(|error| matching(error, &format!("{path}.when")))?;
            by.map_or(Ok(()), |by| by.bind(when, services()))
                .map_err(|error| matching(error, &format!("{path}.by")))
        };
        let from = |from: &Subject, path: &str| {
            from.bind(&Matcher::every(), services())
                .map_err(|error| matching(error, path))
        };
        if let Some(group) = &mut self.group {
            for (at, own) in group.rules.iter_mut().enumerate() {
                rule((&mut own.when, None), format!("group.rules[{at}]"))?;
            }
            if let Some(own) = &group.from {
                from(own, "group.from")?;
            }
        }
        if let Some(tag) = &self.tag {
            from(&tag.from, "tag.from")?;
        }
        for (at, own) in self.conditions.iter_mut().enumerate() {
            rule(own.looks_at(), format!("conditions[{at}]"))?;
        }
        for (at, own) in self.percentages.iter_mut().enumerate() {
            rule(own.looks_at(), format!("percentages[{at}]"))?;
        }
        Ok(())
    }

    /// The routers that it means.
    ///
    /// # Errors
    /// If a setting makes no sense; the error says which.
    pub fn routers(self) -> Result<Routers, RouteError> {
        let within = |outer: &'static str| move |error: RouteError| error.within(outer);
        let lane = LaneRouter::with_fallbacks(self.lanes)
            .map_err(|error| RouteError::new("lanes", error.to_string()))?;
        let mut routers = Routers::new().with_lane(lane);
        if let Some(group) = self.group {
            routers = routers.with_group(GroupRouter::with_config(group).map_err(within("group"))?);
        }
        if let Some(tag) = self.tag {
            routers = routers.with_tag(TagRouter::with_config(tag).map_err(within("tag"))?);
        }
        if !self.conditions.is_empty() {
            let router = ConditionRouter::new(self.conditions).map_err(within("conditions"))?;
            routers = routers.with_condition(router);
        }
        if !self.percentages.is_empty() {
            let router = PercentageRouter::new(self.percentages).map_err(within("percentages"))?;
            routers = routers.with_percentage(router);
        }
        if let Some(zone) = self.zone {
            routers = routers.with_zone(ZoneRouter::with_config(zone).map_err(within("zone"))?);
        }
        Ok(routers)
    }
}
