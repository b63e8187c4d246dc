//! A rule of the condition router.

use rpc_core::{
    Call,
    matcher::{Matcher, Subject},
};
use serde::{Deserialize, Serialize};

use crate::route::{Candidates, Destination, RouteError, Split, TargetMatcher, error};

/// Which requests go where. See the [module](super).
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionRule {
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) priority: i32,
    pub(super) when: Matcher,
    pub(super) then: Then,
    pub(super) force: bool,
    pub(super) go_on: bool,
}

/// Who has made a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The callee, for whoever calls it. Its rules come first.
    Target,
    /// The caller, for itself.
    #[default]
    Caller,
}

/// What becomes of the requests.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Then {
    To(Box<TargetMatcher>),
    Split(Split),
    Deny,
}

impl ConditionRule {
    /// Requests go to these instances.
    ///
    /// # Errors
    /// If the target is not sound.
    pub fn to(name: impl Into<String>, when: Matcher, to: TargetMatcher) -> Result<Self, RouteError> {
        to.check().map_err(|error| error.within("to"))?;
        Ok(Self::new(name, when, Then::To(Box::new(to))))
    }

    /// Requests are split among several destinations, by something in them that makes them go together; `None` is a number of
    /// the request's own. Another rule, of another name, splits them otherwise.
    ///
    /// # Errors
    /// If there are none or more than 64 destinations, one is not sound, all weights are 0, or `by` is the caller, whom a client does
    /// not have.
    pub fn split(
        name: impl Into<String>,
        when: Matcher,
        by: Option<Subject>,
        destinations: impl IntoIterator<Item = Destination>,
    ) -> Result<Self, RouteError> {
        let name = name.into();
        let split = Split::new(destinations.into_iter().collect(), by, &name)?;
        Ok(Self::new(name, when, Then::Split(split)))
    }

    /// Requests go to nobody.
    pub fn deny(name: impl Into<String>, when: Matcher) -> Self {
        Self::new(name, when, Then::Deny)
    }

    pub(super) fn new(name: impl Into<String>, when: Matcher, then: Then) -> Self {
        Self {
            name: name.into(),
            owner: Owner::default(),
            priority: 0,
            when,
            then,
            force: false,
            go_on: false,
        }
    }

    /// Sets who has made it. Default: the caller.
    pub fn with_owner(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }

    /// Sets its priority; higher ones come first. Default: 0.
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets whether it leaves nobody where nobody fits. Default: it is passed over then.
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets whether the search goes on after it. Default: it ends.
    pub fn with_go_on(mut self, go_on: bool) -> Self {
        self.go_on = go_on;
        self
    }

    /// What it looks at in requests: to know whether it means them, and where they go.
    pub(in crate::route) fn looks_at(&mut self) -> (&mut Matcher, Option<&Subject>) {
        let by = match &self.then {
            Then::Split(split) => Some(split.by()),
            Then::To(_) | Then::Deny => None,
        };
        (&mut self.when, by)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn needs_request_key(&self) -> bool {
        matches!(self.then, Then::Split(_)) || self.when.needs_request_key()
    }

    /// Which of its destinations a call goes to.
    pub(super) fn destination(&self, call: &Call<'_>) -> usize {
        match &self.then {
            Then::Split(split) => split.pick(call),
            Then::To(_) | Then::Deny => 0,
        }
    }

    pub(super) fn may_be_passed_over(&self) -> bool {
        !self.force && !matches!(self.then, Then::Deny)
    }

    /// Narrows the candidates; true if it was not passed over, and what it did.
    pub(super) fn narrow(&self, destination: usize, candidates: &mut Candidates<'_>) -> (bool, String) {
        let name = &self.name;
        let to = match &self.then {
            Then::To(to) => to,
            Then::Split(split) => match split.destinations().get(destination) {
                Some(destination) => &destination.to,
                None => return (false, format!("rule `{name}` has no such destination")),
            },
            Then::Deny => {
                candidates.clear();
                return (true, format!("rule `{name}` denies it"));
            }
        };
        let which = match &self.then {
            Then::Split(_) => format!("rule `{name}`, destination {destination}"),
            _ => format!("rule `{name}`"),
        };
        narrow_to(to, self.force, &which, candidates)
    }
}

/// Narrows the candidates to a destination; `force` says what happens where nobody fits. True if it was not passed over, and
/// what it did.
pub(in crate::route) fn narrow_to(
    to: &TargetMatcher,
    force: bool,
    which: &str,
    candidates: &mut Candidates<'_>,
) -> (bool, String) {
    if candidates.prefer(|candidate| to.matches(candidate.instance)) {
        (true, which.to_owned())
    } else if force {
        candidates.clear();
        (true, format!("{which}: nobody fits, and it is forced"))
    } else {
        (false, format!("{which}: passed over, as nobody fits"))
    }
}

/// Checks all rules together.
pub(super) fn check(rules: &[ConditionRule]) -> Result<(), RouteError> {
    error::check_names(rules.iter().map(|rule| &*rule.name))?;
    for (at, rule) in rules.iter().enumerate() {
        error::check_when(&format!("[{at}].when"), &rule.when)?;
    }
    Ok(())
}
