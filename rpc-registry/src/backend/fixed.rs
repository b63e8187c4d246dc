//! Instances that the target itself names: `static:`, `unix:`, `local:`.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use rpc_core::{BuildError, net::Address};

use crate::{Fault, Instance, Resolver, Scheme, Target, Update, Watch};

/// Resolves to the same instances for ever.
#[derive(Debug, Clone)]
pub struct FixedResolver(Vec<Instance>);

/// `static://10.0.0.1:50051,shop.internal:50051`: a list of addresses. A host's name is looked up at each connect.
#[derive(Debug, Clone, Copy, Default)]
pub struct StaticScheme;

/// `unix:/run/shop.sock` or `unix:///run/shop.sock`: one instance behind a unix socket.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnixScheme;

/// `local:///shop`: a server in this process. The name is for people.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalScheme;

impl FixedResolver {
    /// To these instances.
    pub fn new(instances: Vec<Instance>) -> Self {
        Self(instances)
    }

    fn of_addresses(addresses: impl IntoIterator<Item = Address>) -> Arc<dyn Resolver> {
        let instance = |address: Address| Instance::new(address.to_string()).with_any_address(address);
        Arc::new(Self(addresses.into_iter().map(instance).collect()))
    }
}

impl Resolver for FixedResolver {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Once(Some(self.0.clone())))
    }
}

impl Scheme for StaticScheme {
    fn name(&self) -> &'static str {
        "static"
    }

    fn has_groups(&self) -> bool {
        false
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        target.only_options(&[])?;
        if !target.name().is_empty() {
            return Err(target.error("a list of addresses has no path: write `static://a:1,b:2`"));
        }
        let mut addresses: Vec<Address> = Vec::new();
        for host in target.hosts() {
            let address = host
                .parse()
                .map_err(|error| target.error(&error).with_source(error))?;
            // Twice the same address would only count one server twice.
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(target.error("no address: write `static://a:1,b:2`"));
        }
        Ok(FixedResolver::of_addresses(addresses))
    }
}

impl Scheme for UnixScheme {
    fn name(&self) -> &'static str {
        "unix"
    }

    fn has_groups(&self) -> bool {
        false
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        target.only_options(&[])?;
        if !target.authority().is_empty() {
            return Err(target.error("a path has no host: write `unix:///run/shop.sock`, with three `/`"));
        }
        if target.name().is_empty() {
            return Err(target.error("no path: write `unix:/run/shop.sock`"));
        }
        Ok(FixedResolver::of_addresses([Address::Unix(
            Path::new(target.path()).into(),
        )]))
    }
}

impl Scheme for LocalScheme {
    fn name(&self) -> &'static str {
        "local"
    }

    fn has_groups(&self) -> bool {
        false
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        target.only_options(&[])?;
        if !target.authority().is_empty() {
            return Err(
                target.error("what is in this process has no host: write `local:///shop`, with three `/`")
            );
        }
        Ok(FixedResolver::of_addresses([Address::Local(
            target.name().into(),
        )]))
    }
}

struct Once(Option<Vec<Instance>>);

#[async_trait]
impl Watch for Once {
    async fn next(&mut self) -> Result<Update, Fault> {
        match self.0.take() {
            Some(instances) if instances.is_empty() => Ok(Update::Absent),
            Some(instances) => Ok(Update::Snapshot(instances.into_iter().map(Ok).collect())),
            None => std::future::pending().await,
        }
    }
}
