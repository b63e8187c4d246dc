//! Which of the instances a client sees.

use rpc_core::BuildError;

use crate::{Instance, Target};

/// Which of the instances of a target a client sees: those of a group, of some versions, of a protocol.
///
/// Read from the options of a target, `memory:///shop?group=vip&version=v1,v2`, or said to the client's builder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Filter {
    /// The application group. Default: [`Instance::DEFAULT_GROUP`]; `*` is all.
    pub group: Option<String>,
    /// The versions, any of them. None is all.
    pub versions: Vec<String>,
    /// A protocol that an instance must list. Default: all pass, as it is the transport that looks for an address.
    pub protocol: Option<String>,
}

impl Filter {
    /// The options of a target by which instances are chosen. Schemes of registries accept them and leave them alone.
    pub const OPTIONS: [&'static str; 3] = ["group", "protocol", "version"];

    /// Lets the default group pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a target's options ask for.
    ///
    /// # Errors
    /// If an option is empty; the field is `target`.
    pub fn of_target(target: &Target) -> Result<Self, BuildError> {
        let option = |key: &str| match target.option(key) {
            Some("") => Err(target.error(format!(
                "option `{key}` is empty: write `{key}=...`, or leave it out"
            ))),
            value => Ok(value.map(ToOwned::to_owned)),
        };
        let versions = option("version")?;
        let versions = versions.iter().flat_map(|all| all.split(','));
        Ok(Self {
            group: option("group")?,
            versions: versions
                .filter(|v| !v.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
            protocol: option("protocol")?,
        })
    }

    /// True if a client sees the instance.
    pub fn passes(&self, instance: &Instance) -> bool {
        let group = self.group.as_deref().unwrap_or(Instance::DEFAULT_GROUP);
        let version = instance.version.as_deref();
        let protocol = self.protocol.as_deref();
        (group == "*" || instance.is_in_group(group))
            && (self.versions.is_empty() || self.versions.iter().any(|wanted| Some(&**wanted) == version))
            && protocol.is_none_or(|wanted| instance.address_for(wanted).is_some())
    }
}
