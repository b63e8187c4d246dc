//! Narrows copies to the instances that are meant for them.

use std::sync::Arc;

use rpc_core::Call;

use super::{MirrorConfig, MirrorTo};
use crate::route::{Candidates, Population, RouteKey, Router, TargetMatcher};

/// In the extensions of a copy that goes to instances of the same target: the number of the rule, which names them.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyOf(pub(super) usize);

/// Narrows copies to the instances that their rule names. Other calls it leaves alone.
///
/// A client whose rules have such instances needs it, as the first router: see
/// [`Routers::with_mirror`](crate::route::Routers::with_mirror).
#[derive(Debug, Clone)]
pub struct MirrorRouter {
    /// By the number of the rule.
    targets: Arc<[Option<TargetMatcher>]>,
}

impl MirrorRouter {
    /// For these rules; `None` if none of them goes to instances of the same target.
    pub fn new(config: &MirrorConfig) -> Option<Self> {
        let instances = |to: &MirrorTo| match to {
            MirrorTo::Instances(to) => Some(TargetMatcher::clone(to)),
            MirrorTo::Target(_) => None,
        };
        let targets: Arc<[_]> = config.rules.iter().map(|rule| instances(&rule.to)).collect();
        targets.iter().any(Option::is_some).then_some(Self { targets })
    }
}

impl Router for MirrorRouter {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn key(&self, call: &Call<'_>, _: &Population) -> RouteKey {
        match call.extensions.get::<CopyOf>() {
            Some(copy) => RouteKey::Number(copy.0 as u64),
            None => RouteKey::Plain,
        }
    }

    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        let RouteKey::Number(number) = *key else {
            return;
        };
        if let Some(Some(to)) = self.targets.get(number as usize) {
            candidates.retain(|candidate| to.matches(candidate.instance));
            candidates.because("a mirrored call");
        }
    }
}
