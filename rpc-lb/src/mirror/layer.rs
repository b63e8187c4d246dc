//! Mirroring as a tower layer.

use std::{collections::HashMap, fmt, sync::Arc};

use rpc_core::{Channel, Stage, stage::SharedStage};
use tower_layer::Layer;

use super::{Mirror, MirrorConfig, MirrorCounts, MirrorTo, state::Shared};
use crate::{Endpoints, PickLayer, ToLink, route::RouteError};

/// Copies calls by rule. See the [module](super).
#[derive(Clone, Default)]
pub struct MirrorLayer {
    shared: Option<Arc<Shared>>,
}

/// What rules may name as other targets.
#[derive(Debug, Clone, Default)]
pub struct MirrorTargets(HashMap<String, Channel>);

impl MirrorTargets {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, under the name by which rules know it.
    pub fn with(mut self, name: impl Into<String>, channel: impl Into<Channel>) -> Self {
        self.0.insert(name.into(), channel.into());
        self
    }
}

impl MirrorLayer {
    /// With rules. Copies for instances of the same target go to these endpoints, which must have the
    /// [router](super::MirrorRouter) for the same rules; nothing is learnt from them.
    ///
    /// # Errors
    /// If a setting makes no sense, or a rule names a target that is not there; the error says which.
    pub fn new(
        config: MirrorConfig,
        endpoints: &Endpoints,
        targets: &MirrorTargets,
    ) -> Result<Self, RouteError> {
        config.check()?;
        if config.rules.is_empty() {
            return Ok(Self::default());
        }
        let own = SharedStage::new(PickLayer::new(endpoints.clone()).layer(ToLink));
        let mut stages = Vec::new();
        for (at, rule) in config.rules.iter().enumerate() {
            stages.push(match &rule.to {
                MirrorTo::Instances(_) => own.clone(),
                MirrorTo::Target(name) => match targets.0.get(name) {
                    Some(channel) => channel.pipeline().clone(),
                    None => return Err(unknown(at, name, targets)),
                },
            });
        }
        Ok(Self {
            shared: Some(Arc::new(Shared::new(config, stages)?)),
        })
    }

    /// True if a [number of the request's own](rpc_core::matcher::RequestKey) may decide.
    pub fn needs_request_key(&self) -> bool {
        // Also where what a rule goes by is missing.
        self.shared.is_some()
    }

    /// How many copies there were so far.
    pub fn counts(&self) -> MirrorCounts {
        self.shared
            .as_ref()
            .map_or_else(MirrorCounts::default, |shared| shared.counts())
    }
}

fn unknown(at: usize, name: &str, targets: &MirrorTargets) -> RouteError {
    let mut names: Vec<_> = targets.0.keys().map(|name| format!("`{name}`")).collect();
    names.sort();
    let known = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    let problem = format!("`{name}` is no target of this client's mirrors; known are: {known}");
    RouteError::new(format!("rules[{at}].target"), problem)
}

impl<S: Stage> Layer<S> for MirrorLayer {
    type Service = Mirror<S>;

    fn layer(&self, inner: S) -> Mirror<S> {
        Mirror::new(inner, self.shared.clone())
    }
}

impl fmt::Debug for MirrorLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirrorLayer")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
