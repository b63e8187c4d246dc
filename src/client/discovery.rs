//! How a client finds instances, and which of them it uses.

use std::{path::PathBuf, sync::Arc};

use rpc_core::{BuildError, transport::Transport};
use rpc_lb::{Endpoints, EndpointsConfig, Near};
use rpc_registry::{DiskCache, Filter, FollowConfig, HoldBack, Narrow, Resolver, Target};

use super::ClientBuilder;
use crate::{LocalServers, host};

/// What the builder was told of it.
#[derive(Default)]
pub(super) struct Discovery {
    follow: FollowConfig,
    group: Option<String>,
    local: Option<LocalServers>,
    same_host: bool,
}

/// Discovery.
impl ClientBuilder {
    /// Sees the instances of an application group, and no others. Default: the group `default`, which instances belong to
    /// that say nothing of groups. `?group=` in the target says the same.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.discovery.group = Some(group.into());
        self
    }

    /// Keeps the last list of instances in a directory, for a start while the registry is away: see [`DiskCache`], which
    /// this makes with its defaults. Default: no list is kept.
    ///
    /// Whether such a list is in use, and from when it is, [`Snapshot::freshness`](rpc_lb::Snapshot::freshness) says.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.discovery.follow.cache = Some(DiskCache::new(dir));
        self
    }

    /// What is made of instances that vanish from the registry without having said so. Default: many at once are kept while
    /// they answer, for 5 minutes at most.
    pub fn hold_back(mut self, hold_back: HoldBack) -> Self {
        self.discovery.follow.hold_back = hold_back;
        self
    }

    /// Uses a part of a large fleet: [`Rendezvous`](rpc_registry::Rendezvous), say. Default: all of it.
    pub fn narrow(mut self, narrow: impl Narrow) -> Self {
        self.discovery.follow.narrow = Some(Arc::new(narrow));
        self
    }

    /// Prefers servers of this process, which are then called directly: see [`LocalServers`].
    pub fn local_servers(mut self, servers: &LocalServers) -> Self {
        self.discovery.local = Some(servers.clone());
        self
    }

    /// Prefers servers of this host that listen on a unix socket which their record names. Default: all hosts are alike.
    pub fn prefer_same_host(mut self, prefer: bool) -> Self {
        self.discovery.same_host = prefer;
        self
    }
}

impl Discovery {
    pub(super) fn endpoints(
        self,
        target: &Target,
        resolver: Arc<dyn Resolver>,
        transport: Arc<dyn Transport>,
    ) -> Result<Endpoints, BuildError> {
        let mut config = EndpointsConfig::default();
        config.follow = self.follow;
        config.follow.filter = filter(target, self.group)?;
        let mut near = Near::new();
        if self.same_host
            && let Some(host) = host::id()
        {
            near = near.on_host(host);
        }
        let transport = match &self.local {
            Some(local) => {
                near = local.near(near);
                local.transport(transport)
            }
            None => transport,
        };
        config.near = near;
        Ok(Endpoints::configured(
            target.to_string(),
            resolver,
            transport,
            config,
        ))
    }
}

fn filter(target: &Target, group: Option<String>) -> Result<Filter, BuildError> {
    let mut filter = Filter::of_target(target)?;
    match (&filter.group, group) {
        (_, None) => {}
        (_, Some(group)) if group.is_empty() => {
            return Err(BuildError::new(
                "group",
                "is empty: leave it out for the default group",
            ));
        }
        (Some(said), Some(group)) if *said != group => {
            let problem = format!("is `{group}`, and target `{target}` says `{said}`: leave one of both out");
            return Err(BuildError::new("group", problem));
        }
        (_, group) => filter.group = group,
    }
    Ok(filter)
}
