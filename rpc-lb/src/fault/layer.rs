//! Faults as a tower layer.

use std::sync::Arc;

use tower_layer::Layer;

use super::{Fault, FaultRule};
use crate::route::{RouteError, error};

/// Injects faults by rule. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct FaultLayer {
    rules: Arc<[FaultRule]>,
}

impl FaultLayer {
    /// With rules, the first of which counts that means a call. Without any it does nothing.
    ///
    /// # Errors
    /// If there are more than 1000, two have one name, or one is not sound; the error says which.
    pub fn new(rules: impl IntoIterator<Item = FaultRule>) -> Result<Self, RouteError> {
        let rules: Arc<[_]> = rules.into_iter().collect();
        error::check_names(rules.iter().map(|rule| &*rule.name))?;
        for (at, rule) in rules.iter().enumerate() {
            rule.check().map_err(|error| error.within(&format!("[{at}]")))?;
        }
        Ok(Self { rules })
    }

    /// Its rules.
    pub fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// True if a [number of the request's own](rpc_core::matcher::RequestKey) may decide.
    pub fn needs_request_key(&self) -> bool {
        self.rules.iter().any(|rule| rule.when.needs_request_key())
    }
}

impl<S> Layer<S> for FaultLayer {
    type Service = Fault<S>;

    fn layer(&self, inner: S) -> Fault<S> {
        Fault::new(inner, Arc::clone(&self.rules))
    }
}
