//! Instances: where providers announce them, and where clients learn of them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`instance`] | one provider as the registry knows it |
//! | [`amendment`] | what may change about it while it is announced |
//! | [`record`] | how instances are written down |
//! | [`registry`] | announce, amend, withdraw |
//! | [`announce`] | keeps an instance announced |
//! | [`resolver`] | watch the instances of a name |
//! | [`target`] | the URI that says where instances come from |
//! | [`schemes`] | which resolver answers which scheme: a value, nothing global |
//! | [`filter`] | which of the instances a client sees |
//! | [`follow`] | keeps a client's list of instances: doubt, filter, cache on disk |
//! | [`backend`] | the registries that ship with this crate |
//!
//! # What an adapter does, and what it leaves
//! An adapter talks to one kind of registry and translates; it never sleeps, caches, tries again or judges. Pausing
//! between attempts, keeping the last good list and holding back suspicious ones are the same for all of them, and are
//! done once, around the traits: see [`follow`].

pub mod amendment;
pub mod announce;
pub mod backend;
mod caught;
pub mod fault;
pub mod filter;
pub mod follow;
#[cfg(all(feature = "file", any(test, feature = "fuzzing")))]
#[doc(hidden)]
pub mod fuzzing;
pub mod instance;
mod pause;
pub mod record;
pub mod registry;
pub mod resolver;
pub mod schemes;
pub mod target;
pub mod update;

#[cfg(feature = "file")]
pub use self::backend::FileScheme;
#[cfg(feature = "dns")]
pub use self::backend::{DnsScheme, DnsSrvScheme};
/// The client of etcd that [`EtcdRegistry`] is made of.
#[cfg(feature = "etcd")]
pub use rpc_etcd as etcd;

#[cfg(feature = "etcd")]
pub use self::backend::{EtcdRegistry, EtcdResolver, EtcdScheme};
pub use self::{
    amendment::Amendment,
    announce::{AnnounceConfig, AnnounceState, Announcer, InstanceHandle},
    backend::{FixedResolver, LocalScheme, MemoryRegistry, StaticScheme, UnixScheme},
    fault::{Fault, FaultKind},
    filter::Filter,
    follow::{
        Change, DiskCache, Follow, FollowAll, FollowConfig, Freshness, HoldBack, Listed, Narrow, Rendezvous,
        Source, View, Viewer,
    },
    instance::{Instance, InstanceAddress, InstanceId, InstanceState},
    registry::{Registration, Registry},
    resolver::{Refresh, Resolver, Watch},
    schemes::{Place, Scheme, Schemes},
    target::Target,
    update::{BadRecord, Record, Update},
};
