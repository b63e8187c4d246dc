//! One condition of a matcher.

use super::{MatchError, Predicate, Subject, bind::Bound};
use crate::{
    Call,
    message::{FieldPath, FieldValue, InvalidFieldPath},
};

/// One condition: a predicate on a part of the call, or several conditions.
///
/// In a document it is a table: `on` says what is looked at, and one key of [`Predicate`]'s what is asked of it; or `any` or
/// `all` has a list of conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(pub(super) Kind);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    On(Subject, Predicate),
    Any(Vec<Condition>, Negated),
    All(Vec<Condition>, Negated),
}

/// Whether a list of conditions stands under `not`.
pub(super) type Negated = bool;

impl Condition {
    /// A predicate on a part of the call.
    pub fn on(subject: Subject, predicate: Predicate) -> Self {
        Self(Kind::On(subject, predicate))
    }

    /// On the service's full name, `shop.v1.Inventory`.
    pub fn service(predicate: Predicate) -> Self {
        Self::on(Subject::Service, predicate)
    }

    /// On the method's name, `Stock`, or its path, `/shop.v1.Inventory/Stock`.
    pub fn method(predicate: Predicate) -> Self {
        Self::on(Subject::Method, predicate)
    }

    /// On the lane; there is none in the base lane.
    pub fn lane(predicate: Predicate) -> Self {
        Self::on(Subject::Lane, predicate)
    }

    /// On the name of the application that calls.
    pub fn caller(predicate: Predicate) -> Self {
        Self::on(Subject::Caller, predicate)
    }

    /// On the address that the call came from.
    pub fn caller_address(predicate: Predicate) -> Self {
        Self::on(Subject::CallerAddress, predicate)
    }

    /// On the values of a key of the metadata.
    pub fn metadata(key: &str, predicate: Predicate) -> Self {
        Self::on(Subject::Metadata(key.into()), predicate)
    }

    /// On a value of the baggage.
    pub fn baggage(name: &str, predicate: Predicate) -> Self {
        Self::on(Subject::Baggage(name.into()), predicate)
    }

    /// On a field of the request.
    ///
    /// # Errors
    /// If `path` is not the path of a field.
    pub fn field(path: &str, predicate: Predicate) -> Result<Self, InvalidFieldPath> {
        path.parse::<FieldPath>()
            .map(|path| Self::on(Subject::Field(path), predicate))
    }

    /// That share of all requests, in percent.
    ///
    /// # Errors
    /// If it is not between 0 and 100.
    pub fn percent(percent: f64) -> Result<Self, MatchError> {
        Predicate::percent(percent).map(|predicate| Self::on(Subject::Request, predicate))
    }

    /// At least one of these holds.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::Any(conditions.into_iter().collect(), false))
    }

    /// Each of these holds.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::All(conditions.into_iter().collect(), false))
    }

    /// The condition that holds where this one does not.
    pub fn negated(self) -> Self {
        Self(match self.0 {
            Kind::On(subject, predicate) => Kind::On(subject, predicate.negated()),
            Kind::Any(conditions, negated) => Kind::Any(conditions, !negated),
            Kind::All(conditions, negated) => Kind::All(conditions, !negated),
        })
    }

    /// Whether it holds for a call.
    pub(super) fn holds(&self, call: &Call<'_>, bound: &Bound) -> bool {
        match &self.0 {
            Kind::On(Subject::CallerAddress, predicate) => {
                match call.context.caller().and_then(|caller| caller.peer()) {
                    Some(address) => predicate.test_address(address),
                    None => predicate.test_option(None::<&str>),
                }
            }
            Kind::On(Subject::Field(path), predicate) => {
                let mut outcome = Outcome::new(predicate);
                bound.visit(call, path, &mut |value| outcome.see(value));
                outcome.holds()
            }
            Kind::On(subject, predicate) => {
                let mut outcome = Outcome::new(predicate);
                subject.visit(call, &mut |value| outcome.see(value));
                outcome.holds()
            }
            Kind::Any(conditions, negated) => {
                conditions.iter().any(|condition| condition.holds(call, bound)) != *negated
            }
            Kind::All(conditions, negated) => {
                conditions.iter().all(|condition| condition.holds(call, bound)) != *negated
            }
        }
    }

    /// Each subject in it.
    pub(super) fn subjects(&self, seen: &mut dyn FnMut(&Subject)) {
        match &self.0 {
            Kind::On(subject, _) => seen(subject),
            Kind::Any(conditions, _) | Kind::All(conditions, _) => {
                for condition in conditions {
                    condition.subjects(seen);
                }
            }
        }
    }
}

/// What a predicate makes of the values that a subject has.
struct Outcome<'p> {
    predicate: &'p Predicate,
    seen: bool,
    hit: bool,
}

impl<'p> Outcome<'p> {
    fn new(predicate: &'p Predicate) -> Self {
        Self {
            predicate,
            seen: false,
            hit: false,
        }
    }

    fn see(&mut self, value: FieldValue<'_>) {
        let is_settled = self.hit || self.seen && self.predicate.is_by_hash();
        self.seen = true;
        if !is_settled {
            self.hit = self.predicate.plain(value);
        }
    }

    fn holds(&self) -> bool {
        let plain = if self.seen {
            self.hit
        } else {
            self.predicate.plain_absent()
        };
        plain != self.predicate.negated
    }
}
