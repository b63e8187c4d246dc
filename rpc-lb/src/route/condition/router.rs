//! The condition router.

use std::cmp::Reverse;

use rpc_core::Call;
use smallvec::SmallVec;

use super::{ConditionRule, rule};
use crate::route::{Candidates, Population, RouteError, RouteKey, Router};

/// Sends the requests that rules mean to the instances that these name. See the [module](super).
///
/// # Cost
/// Each call is compared with the rules, one after the other, until one ends the search that cannot be passed over: a rule with
/// [`force`](ConditionRule::with_force), or one that denies. More than four that match cost an allocation, and what was found is kept
/// for each combination of destinations that calls are drawn for: give rules with many destinations `force` where several
/// of them match the same calls.
#[derive(Debug, Clone, Default)]
pub struct ConditionRouter {
    /// In the order in which they are looked at.
    rules: Vec<ConditionRule>,
}

/// How many bits of a number are those of the destination: [`Split::DESTINATIONS`](crate::route::Split::DESTINATIONS) fit.
const DESTINATION_BITS: u32 = 8;

impl ConditionRouter {
    /// With rules.
    ///
    /// # Errors
    /// If there are more than 1000, one has no name, one of more than 256 bytes, or that of another, or one looks at the caller,
    /// whom a client does not have.
    pub fn new(rules: impl IntoIterator<Item = ConditionRule>) -> Result<Self, RouteError> {
        let mut rules: Vec<_> = rules.into_iter().collect();
        rule::check(&rules)?;
        rules.sort_by_key(|rule| (rule.owner, Reverse(rule.priority)));
        Ok(Self { rules })
    }

    /// Its rules, in the order in which they are looked at.
    pub fn rules(&self) -> &[ConditionRule] {
        &self.rules
    }
}

impl Router for ConditionRouter {
    fn name(&self) -> &'static str {
        "condition"
    }

    fn needs_request_key(&self) -> bool {
        self.rules.iter().any(ConditionRule::needs_request_key)
    }

    fn key(&self, call: &Call<'_>, _: &Population) -> RouteKey {
        let mut met = SmallVec::<[u32; 4]>::new();
        let mut ended = None;
        for (at, rule) in self.rules.iter().enumerate() {
            if ended == Some(rule.owner) || !rule.when.matches(call) {
                continue;
            }
            let number = (at << DESTINATION_BITS) | rule.destination(call);
            met.push(number as u32);
            // One that may be passed over leaves it to the next ones then; whether it is, only the candidates tell.
            if !rule.go_on && !rule.may_be_passed_over() {
                ended = Some(rule.owner);
            }
        }
        if met.is_empty() {
            RouteKey::Plain
        } else {
            RouteKey::Numbers(met)
        }
    }

    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        let RouteKey::Numbers(met) = key else {
            return;
        };
        let mut reasons = Vec::new();
        let mut ended = None;
        for number in met {
            let (at, destination) = (number >> DESTINATION_BITS, number & ((1 << DESTINATION_BITS) - 1));
            let rule = self.rules.get(at as usize);
            let Some(rule) = rule.filter(|rule| ended != Some(rule.owner)) else {
                continue;
            };
            let (counts, reason) = rule.narrow(destination as usize, candidates);
            reasons.push(reason);
            if counts && !rule.go_on {
                ended = Some(rule.owner);
            }
            if candidates.is_empty() {
                break;
            }
        }
        candidates.because(reasons.join("; "));
    }
}
