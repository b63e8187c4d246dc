//! Which resolver answers which scheme.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rpc_core::BuildError;

use crate::{Registry, Resolver, Target};

/// What a scheme of a target means: `memory` in `memory:///shop`.
pub trait Scheme: Send + Sync + 'static {
    /// The scheme, in lower case.
    fn name(&self) -> &'static str;

    /// The resolver of a target of this scheme. Does no I/O.
    ///
    /// # Errors
    /// If the target lacks something, or says too much; the field is `target`.
    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError>;

    /// True if instances of its targets can say which application groups they belong to. Default: `true`. Where they are
    /// addresses and no more, a client that asks for a group sees all of them.
    fn has_groups(&self) -> bool {
        true
    }

    /// Where a provider announces itself so that clients of this target find it. Does no I/O.
    ///
    /// # Errors
    /// As above; and where nothing can be announced, which is the default.
    fn registry(&self, target: &Target) -> Result<Place, BuildError> {
        let scheme = target.scheme();
        Err(target.error(format!("nothing can be announced at a `{scheme}:` target")))
    }
}

/// Where an instance is announced: a registry, and the service's name in it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Place {
    /// The registry.
    pub registry: Arc<dyn Registry>,
    /// The service's name.
    pub name: String,
}

impl Place {
    /// A name in a registry.
    pub fn new(registry: Arc<dyn Registry>, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { registry, name }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
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
        self.of(target)?.resolver(target)
    }

    /// Where providers of a target announce themselves.
    ///
    /// # Errors
    /// If the scheme is not known here, with the names of those that are; or what the scheme says of the target.
    pub fn registry(&self, target: &Target) -> Result<Place, BuildError> {
        self.of(target)?.registry(target)
    }

    /// True if instances of the target can say which groups they belong to; `false` if the scheme is not known here.
    pub fn has_groups(&self, target: &Target) -> bool {
        self.0
            .get(target.scheme())
            .is_some_and(|scheme| scheme.has_groups())
    }

    fn of(&self, target: &Target) -> Result<&dyn Scheme, BuildError> {
        let scheme = target.scheme();
        self.0.get(scheme).map(|found| &**found).ok_or_else(|| {
            let accepted = self.names().collect::<Vec<_>>().join(", ");
            let remedy = match feature(scheme) {
                Some(feature) => format!(" without the feature `{feature}`"),
                None => String::new(),
            };
            let problem = format!(
                "scheme `{scheme}` of `{target}` is not known here{remedy}; accepted are: {accepted}"
            );
            BuildError::new("target", problem)
        })
    }
}

/// The feature that a scheme needs, if this build does not have it.
fn feature(scheme: &str) -> Option<&'static str> {
    match scheme {
        "file" if cfg!(not(feature = "file")) => Some("file"),
        "dns" | "dns+srv" if cfg!(not(feature = "dns")) => Some("dns"),
        "etcd" if cfg!(not(feature = "etcd")) => Some("etcd"),
        _ => None,
    }
}

impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
