//! Which resolver answers which scheme.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rpc_core::BuildError;

use crate::{Resolver, Target};

/// What a scheme of a target means: `memory` in `memory:///shop`.
pub trait Scheme: Send + Sync + 'static {
    /// The scheme, in lower case.
    fn name(&self) -> &'static str;

    /// The resolver of a target of this scheme. Does no I/O.
    ///
    /// # Errors
    /// If the target lacks something, or says too much; the field is `target`.
    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError>;
}

/// The schemes that a client understands. A value that its builder owns; nothing is global.
#[derive(Clone, Default)]
pub struct Schemes(BTreeMap<&'static str, Arc<dyn Scheme>>);

impl Schemes {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scheme, in place of an earlier one of the same name.
    pub fn with(mut self, scheme: impl Scheme) -> Self {
        self.add(scheme);
        self
    }

    /// Adds a scheme, in place of an earlier one of the same name.
    pub fn add(&mut self, scheme: impl Scheme) {
        self.0.insert(scheme.name(), Arc::new(scheme));
    }

    /// Their names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// The resolver of a target.
    ///
    /// # Errors
    /// If the scheme is not known here, with the names of those that are; or what the scheme says of the target.
    pub fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        let scheme = target.scheme();
        match self.0.get(scheme) {
            Some(found) => found.resolver(target),
            None => Err(BuildError::new(
                "target",
                format!(
                    "scheme `{scheme}` of `{target}` is not known here; accepted are: {}",
                    self.names().collect::<Vec<_>>().join(", ")
                ),
            )),
        }
    }
}

impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
