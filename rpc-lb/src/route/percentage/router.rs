//! The percentage router.

use rpc_core::{
    Call,
    matcher::{Matcher, Subject},
};

use crate::route::{
    Candidates, Destination, Population, RouteError, RouteKey, Router, Split, condition::narrow_to, error,
};

/// Splits requests among destinations. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct PercentageRouter {
    rules: Vec<PercentageRule>,
}

/// Which requests are split, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct PercentageRule {
    pub(super) name: String,
    pub(super) when: Matcher,
    pub(super) split: Split,
    pub(super) force: bool,
}

/// How many bits of a number are those of the destination: [`Split::DESTINATIONS`] fit.
const DESTINATION_BITS: u32 = 8;

impl PercentageRule {
    /// Splits requests, by something in them that makes them go together; `None` is a number of the request's own.
    ///
    /// # Errors
    /// If there are none or more than 64 destinations, one is not sound, all weights are 0, or `by` is the caller, whom a client does
    /// not have.
    pub fn new(
        name: impl Into<String>,
        when: Matcher,
        by: Option<Subject>,
        destinations: impl IntoIterator<Item = Destination>,
    ) -> Result<Self, RouteError> {
        let name = name.into();
        let split = Split::new(destinations.into_iter().collect(), by, &name)?;
        Ok(Self {
            name,
            when,
            split,
            force: false,
        })
    }

    /// Sets whether a request fails whose destination has no endpoint. Default: it goes to any.
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// What it looks at in requests: to know whether it means them, and where they go.
    pub(in crate::route) fn looks_at(&mut self) -> (&mut Matcher, Option<&Subject>) {
        (&mut self.when, Some(self.split.by()))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PercentageRouter {
    /// With rules, the first of which counts that means a request.
    ///
    /// # Errors
    /// If there are more than 1000, one has no name, one of more than 256 bytes, or that of another, or one looks at the caller,
    /// whom a client does not have.
    pub fn new(rules: impl IntoIterator<Item = PercentageRule>) -> Result<Self, RouteError> {
        let rules: Vec<_> = rules.into_iter().collect();
        error::check_names(rules.iter().map(|rule| &*rule.name))?;
        for (at, rule) in rules.iter().enumerate() {
            error::check_when(&format!("[{at}].when"), &rule.when)?;
        }
        Ok(Self { rules })
    }

    /// Its rules.
    pub fn rules(&self) -> &[PercentageRule] {
        &self.rules
    }
}

impl Router for PercentageRouter {
    fn name(&self) -> &'static str {
        "percentage"
    }

    fn needs_request_key(&self) -> bool {
        // Where what a rule goes by is missing, the request's own number decides.
        !self.rules.is_empty()
    }

    fn key(&self, call: &Call<'_>, _: &Population) -> RouteKey {
        let mut rules = self.rules.iter().enumerate();
        match rules.find(|(_, rule)| rule.when.matches(call)) {
            Some((at, rule)) => RouteKey::Number(((at << DESTINATION_BITS) | rule.split.pick(call)) as u64),
            None => RouteKey::Plain,
        }
    }

    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        let RouteKey::Number(number) = *key else {
            return;
        };
        let (at, destination) = (number >> DESTINATION_BITS, number & ((1 << DESTINATION_BITS) - 1));
        let Some(rule) = self.rules.get(at as usize) else {
            return;
        };
        if let Some(to) = rule.split.destinations().get(destination as usize) {
            let which = format!("rule `{}`, destination {destination}", rule.name);
            let (_, reason) = narrow_to(&to.to, rule.force, &which, candidates);
            candidates.because(reason);
        }
    }
}
