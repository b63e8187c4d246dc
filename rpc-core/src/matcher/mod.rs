//! Which calls a rule means.
//!
//! Routes, lane labels, mirroring, injected faults and limits all begin with the same question, so there is one way to say
//! it: a [`Matcher`] is a list of [`Condition`]s which must all hold. A condition looks at one [`Subject`] of the call (its
//! method, a metadata key, the lane, a field of the request) with one [`Predicate`]. What follows from the answer is the
//! policy of whoever asks.
//!
//! ```
//! use rpc_core::matcher::{Condition, Matcher, Predicate};
//!
//! // As a rule writes it …
//! let written: Matcher = toml::from_str::<Rule>(r#"
//!     [[when]]
//!     on = "service"
//!     equals = "shop.v1.Inventory"
//!
//!     [[when]]
//!     on = { metadata = "x-tenant" }
//!     in = ["acme", "beta"]
//!
//!     [[when]]
//!     on = { field = "order.region" }
//!     prefix = "eu-"
//! "#)?.when;
//!
//! // … and as code does.
//! let built = Matcher::new([
//!     Condition::service(Predicate::equals("shop.v1.Inventory")),
//!     Condition::metadata("x-tenant", Predicate::one_of(["acme", "beta"])),
//!     Condition::field("order.region", Predicate::prefix("eu-"))?,
//! ])?;
//! assert_eq!(written, built);
//!
//! #[derive(serde::Deserialize)]
//! struct Rule {
//!     when: Matcher,
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Asking allocates nothing, takes no lock of ours, and costs what is asked: a list of names is compared one by one.
//!
//! A language of expressions was rejected: it wants a parser, types and an interpreter, and a table can be checked and shown
//! field by field.

mod bind;
mod condition;
mod document;
mod error;
mod hash;
mod pattern;
mod predicate;
mod request;
mod scalar;
mod subject;

use self::{bind::Bound, condition::Kind};
pub use self::{
    condition::Condition, error::MatchError, hash::hash64, predicate::Predicate, request::RequestKey,
    scalar::Scalar, subject::Subject,
};
use crate::Call;

/// Which calls a rule means: those for which all conditions hold. One without conditions means every call.
///
/// In a document it is the list of its conditions.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    conditions: Vec<Condition>,
    bound: Bound,
}

impl Matcher {
    /// The most conditions, those inside of others included.
    pub const MAX_CONDITIONS: usize = 64;
    /// How deep `any` and `all` may nest.
    pub const MAX_DEPTH: usize = 4;

    /// The calls for which all of these hold.
    ///
    /// # Errors
    /// If there are more than [`MAX_CONDITIONS`](Self::MAX_CONDITIONS), they nest deeper than [`MAX_DEPTH`](Self::MAX_DEPTH), or
    /// one is not sound.
    pub fn new(conditions: impl IntoIterator<Item = Condition>) -> Result<Self, MatchError> {
        let conditions: Vec<_> = conditions.into_iter().collect();
        let mut left = Self::MAX_CONDITIONS;
        check_all("", &conditions, Self::MAX_DEPTH, &mut left)?;
        Ok(Self {
            conditions,
            bound: Bound::default(),
        })
    }

    /// Every call.
    pub fn every() -> Self {
        Self::default()
    }

    /// The conditions, in order.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether the rule means this call.
    pub fn matches(&self, call: &Call<'_>) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.holds(call, &self.bound))
    }

    /// True if a condition decides by a number of the request's own: give calls one with [`RequestKey::draw`] then, once, before
    /// they are tried.
    pub fn needs_request_key(&self) -> bool {
        self.any_subject(|subject| *subject == Subject::Request)
    }

    /// True if a condition looks at a field of the request: it has to be asked while the request is a value still.
    pub fn needs_fields(&self) -> bool {
        self.any_subject(|subject| matches!(subject, Subject::Field(_)))
    }

    /// Makes sure that a client can answer it. There is no caller on the client's side: a condition on one would hold for no
    /// call, and with `not` for every call.
    ///
    /// # Errors
    /// If a condition looks at the caller.
    pub fn check_for_client(&self) -> Result<(), MatchError> {
        if self.any_subject(Subject::is_of_caller) {
            return Err(MatchError::no_caller());
        }
        Ok(())
    }

    fn any_subject(&self, is: impl Fn(&Subject) -> bool) -> bool {
        let mut found = false;
        let mut see = |subject: &Subject| found |= is(subject);
        for condition in &self.conditions {
            condition.subjects(&mut see);
        }
        found
    }
}

/// The same conditions, whatever they are bound to.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions
    }
}

fn check_all(
    outer: &str,
    conditions: &[Condition],
    depth: usize,
    left: &mut usize,
) -> Result<(), MatchError> {
    for (at, condition) in conditions.iter().enumerate() {
        let place = format!("{outer}[{at}]");
        let within = |error: MatchError| error.within(&place);
        *left = left.checked_sub(1).ok_or_else(|| {
            let problem = format!("there are more than {} conditions", Matcher::MAX_CONDITIONS);
            MatchError::new(&place, problem)
        })?;
        let (key, inner) = match &condition.0 {
            Kind::On(subject, predicate) => {
                subject.check().and_then(|()| predicate.check()).map_err(within)?;
                continue;
            }
            Kind::Any(inner, _) => ("any", inner),
            Kind::All(inner, _) => ("all", inner),
        };
        let place = format!("{place}.{key}");
        if inner.is_empty() {
            return Err(MatchError::new(&place, "it is empty"));
        }
        let Some(depth) = depth.checked_sub(1) else {
            let problem = format!("conditions nest more than {} levels deep", Matcher::MAX_DEPTH);
            return Err(MatchError::new(&place, problem));
        };
        check_all(&place, inner, depth, left)?;
    }
    Ok(())
}
