//! How a client finds instances, and which of them it uses.

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use rpc_core::{BuildError, transport::Transport};
use rpc_lb::{Endpoints, EndpointsConfig, Near, Router};
use rpc_registry::{DiskCache, Filter, FollowConfig, HoldBack, Narrow, Schemes, Source, Target};

use super::{ClientBuilder, balancing::Balancing};
use crate::{LocalServers, host, schemes::given_to};

/// What the builder was told of it.
#[derive(Default)]
pub(super) struct Discovery {
    also: Vec<Cow<'static, str>>,
    follow: FollowConfig,
    group: Option<String>,
    local: Option<LocalServers>,
    same_host: bool,
}

/// Discovery.
impl ClientBuilder {
    /// Adds another target: the client calls the instances of all its targets, united by instance id. A registry that is
    /// away or empty hides nothing that another one lists; each is doubted, cached and followed by itself, and options in a
    /// target (`?group=`) concern that target. For a move from one registry to another, or two that stand in for each other.
    ///
    /// ```
    /// # fn main() -> Result<(), rpc::BuildError> {
    /// let client = rpc::Client::builder()
    ///     .target("static://10.0.0.1:50051")
    ///     .also("unix:/run/shop.sock")
    ///     .build()?;
    /// for view in client.discovery() {
    ///     println!("{view}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// A `local:` target stands alone: [`local_servers`](Self::local_servers) is the way to prefer this process.
    pub fn also(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.discovery.also.push(target.into());
        self
    }

    /// Sees the instances of an application group, and no others. Default: the group `default`, which instances belong to
    /// that say nothing of groups. `?group=` in the target says the same.
    ///
    /// Of several targets it concerns those of registries. Instances of `static:`, `unix:`, `local:` and `dns:` targets are
    /// addresses that belong to no group: all of them are seen. [`build`](Self::build) refuses a group where there is no
    /// other target.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.discovery.group = Some(group.into());
        self
    }

    /// Keeps the last list of instances in a directory, for a start while the registry is away: see [`DiskCache`], which
    /// this makes with its defaults. Default: no list is kept.
    ///
    /// Whether such a list is in use, and from when it is, [`Client::discovery`](crate::Client::discovery) says.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.discovery.follow.cache = Some(DiskCache::new(dir));
        self
    }

    /// What is made of instances that vanish from the registry without having said so. Default: many at once are kept while
    /// they answer, for 5 minutes at most. Records of `file:` targets are never held back: a file says what somebody wrote.
    pub fn hold_back(mut self, hold_back: HoldBack) -> Self {
        self.discovery.follow.hold_back = hold_back;
        self
    }

    /// Uses a part of a large fleet: [`Rendezvous`](rpc_registry::Rendezvous), say. Of several targets, a part of each.
    /// Default: all of it.
    pub fn narrow(mut self, narrow: impl Narrow) -> Self {
        self.discovery.follow.narrow = Some(Arc::new(narrow));
        self
    }

    /// Prefers servers of this process, which are then called directly: see [`LocalServers`].
    pub fn local_servers(mut self, servers: &LocalServers) -> Self {
        self.discovery.local = Some(servers.clone());
        self
    }

    /// Prefers servers of this host that listen on a unix socket. Default: all hosts are alike.
    ///
    /// Their record says which file the socket is, so that one of the same path in another container is not taken for it; a record
    /// that does not say so is called over the network. Over TLS the name to expect is `localhost`, unless `server_name` says
    /// another.
    pub fn prefer_same_host(mut self, prefer: bool) -> Self {
        self.discovery.same_host = prefer;
        self
    }
}

impl Discovery {
    /// All targets, the first one included.
    pub(super) fn targets(&self, first: Target) -> Result<Vec<Target>, BuildError> {
        let mut targets = vec![first];
        for text in &self.also {
            let target: Target = text.parse().map_err(given_to("also"))?;
            if targets.contains(&target) {
                return Err(BuildError::new("also", format!("`{target}` is named twice")));
            }
            targets.push(target);
        }
        if targets.len() > 1
            && let Some(local) = targets.iter().find(|target| target.scheme() == "local")
        {
            let problem =
                format!("`{local}` stands alone; `local_servers(...)` prefers servers of this process");
            return Err(BuildError::new("also", problem));
        }
        Ok(targets)
    }

    pub(super) fn endpoints(
        self,
        targets: &[Target],
        schemes: &Schemes,
        transport: Arc<dyn Transport>,
        routers: Vec<Arc<dyn Router>>,
        balancing: Balancing,
    ) -> Result<Endpoints, BuildError> {
        let mut sources = Vec::with_capacity(targets.len());
        let mut is_group_of_use = self.group.is_none();
        let mut has_all_groups = false;
        for (index, target) in targets.iter().enumerate() {
            let method = if index == 0 { "target" } else { "also" };
            let resolver = schemes.resolver(target).map_err(given_to(method))?;
            let group = self.group.clone().filter(|_| schemes.has_groups(target));
            is_group_of_use |= group.is_some();
            let mut follow = self.follow.clone();
            follow.filter = filter(target, group).map_err(given_to(method))?;
            has_all_groups |= follow.filter.group.as_deref() == Some("*");
            sources.push(Source::new(target.to_string(), resolver).with_config(follow));
        }
        if !is_group_of_use {
            let problem = format!("instances of `{}` belong to no group: leave it out", targets[0]);
            return Err(BuildError::new("group", problem));
        }
        if balancing.chooses_groups && !has_all_groups {
            let problem = "it, or `group` in a document of routes, has no groups to choose among: the target has to let all of \
                           them in, by `?group=*`";
            return Err(BuildError::new("group_router", problem));
        }
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
        let mut config = EndpointsConfig::default();
        config.near = near;
        balancing.configure(routers, &mut config);
        Ok(Endpoints::of_sources(sources, transport, config))
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
