//! One provider, as the registry knows it.

mod address;
mod bounds;
mod sockets;

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::Arc,
    time::SystemTime,
};

use rpc_core::{context::Lane, net::Address};

pub use self::address::InstanceAddress;
use crate::Fault;

/// One provider of a service.
///
/// ```
/// use rpc_registry::Instance;
///
/// let instance = Instance::new("shop-1").with_address("grpc", "10.0.0.1:50051".parse()?).with_zone("a");
/// assert!(instance.address_for("grpc").is_some());
/// assert!(instance.address_for("framed").is_none());
/// # Ok::<(), rpc_core::net::InvalidAddress>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// What it is known by. Two records with one id are the same instance, at whatever address.
    pub id: InstanceId,
    /// Where it listens, by protocol, the one it likes best first.
    pub addresses: Vec<InstanceAddress>,
    /// Its share of the calls, relative to the others'. 0: no calls while others have a weight; balancers that do not look at
    /// weights, or that go by keys, give it some. Default: 100.
    pub weight: u32,
    /// The lane that it serves; `None` is the base lane.
    pub lane: Option<Lane>,
    /// The application groups that it belongs to: callers see the instances of the group that they ask for, and no
    /// others. None is [`DEFAULT_GROUP`](Self::DEFAULT_GROUP) alone.
    pub groups: Vec<Arc<str>>,
    /// Where it runs: calls prefer their own zone.
    pub zone: Option<Arc<str>>,
    /// The version of the application that it runs.
    pub version: Option<Arc<str>>,
    /// What else its record says.
    pub metadata: BTreeMap<String, String>,
    /// Fields of its record that this version does not know, as they were written (JSON, say): whoever writes the record
    /// anew writes them as well, so that nothing is lost where versions meet.
    pub unknown: BTreeMap<String, String>,
    /// When it started to serve; a young instance gets fewer calls. `None` is not known.
    pub started_at: Option<SystemTime>,
    /// Whether calls should go to it.
    pub state: InstanceState,
}

/// Whether calls should go to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum InstanceState {
    /// It serves.
    #[default]
    Up,
    /// It is about to stop: what runs there goes on, and nothing new is sent to it.
    Draining,
    /// It is announced and wants no calls yet.
    Disabled,
}

/// What an instance is known by. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl Instance {
    /// An instance without an address, up, with the usual weight.
    pub fn new(id: impl Into<InstanceId>) -> Self {
        Self {
            id: id.into(),
            addresses: Vec::new(),
            weight: Self::DEFAULT_WEIGHT,
            lane: None,
            groups: Vec::new(),
            zone: None,
            version: None,
            metadata: BTreeMap::new(),
            unknown: BTreeMap::new(),
            started_at: None,
            state: InstanceState::Up,
        }
    }

    /// The weight of an instance that says nothing of it.
    pub const DEFAULT_WEIGHT: u32 = 100;

    /// The group of instances that belong to none, and of callers that ask for none.
    pub const DEFAULT_GROUP: &'static str = "default";

    /// The key in the metadata of a record that an operator has changed from outside.
    ///
    /// The value names what was changed, with commas: `state`, `weight`, `lane`, `groups`; any other value means all of them.
    /// Whoever announced the instance takes that on as its own, also for announcements to come; the rest, and what changes
    /// without the mark, it puts back to what it announced. Whoever starts anew does not look for a mark.
    pub const OPERATOR: &'static str = "rpc.operator";

    /// Adds an address where a protocol is spoken.
    pub fn with_address(mut self, protocol: impl Into<Cow<'static, str>>, address: Address) -> Self {
        self.addresses.push(InstanceAddress::new(protocol, address));
        self
    }

    /// Adds an address where whatever the client speaks is understood.
    pub fn with_any_address(mut self, address: Address) -> Self {
        // Most have this one alone.
        self.addresses.reserve_exact(1);
        self.addresses.push(InstanceAddress::any(address));
        self
    }

    /// Sets its share of the calls.
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets the lane that it serves.
    pub fn with_lane(mut self, lane: impl Into<Option<Lane>>) -> Self {
        self.lane = lane.into();
        self
    }

    /// Adds a group that it belongs to.
    pub fn with_group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Sets where it runs.
    pub fn with_zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Sets the version that it runs.
    pub fn with_version(mut self, version: impl Into<Arc<str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Adds something to its record.
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Says when it started to serve.
    pub fn with_started_at(mut self, time: SystemTime) -> Self {
        self.started_at = Some(time);
        self
    }

    /// Sets whether calls should go to it.
    pub fn with_state(mut self, state: InstanceState) -> Self {
        self.state = state;
        self
    }

    /// When it started, in milliseconds of Unix time, as records say it.
    pub(crate) fn started_at_ms(&self) -> Option<u64> {
        let since = self.started_at?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }

    /// True if it belongs to a group.
    pub fn is_in_group(&self, group: &str) -> bool {
        match &*self.groups {
            [] => group == Self::DEFAULT_GROUP,
            groups => groups.iter().any(|own| **own == *group),
        }
    }

    /// Where it speaks a protocol: the first of [`addresses_for`](Self::addresses_for).
    pub fn address_for(&self, protocol: &str) -> Option<&Address> {
        self.addresses_for(protocol).next()
    }

    /// Where it speaks a protocol, the best first: the addresses of it; then those of it [over TLS](InstanceAddress::over_tls);
    /// then those that do not say what is spoken there.
    pub fn addresses_for(&self, protocol: &str) -> impl Iterator<Item = &Address> {
        let of = |is_right: fn(&InstanceAddress, &str) -> bool| {
            let fits = move |at: &&InstanceAddress| is_right(at, protocol);
            self.addresses.iter().filter(fits).map(|at| &at.address)
        };
        of(|at, wanted| at.protocol.as_deref() == Some(wanted))
            .chain(of(|at, wanted| at.over_tls() == Some(wanted)))
            .chain(of(|at, _| at.protocol.is_none()))
    }
}

impl InstanceId {
    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for InstanceId {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl InstanceState {
    /// The word for it in records: `up`, `draining`, `disabled`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }
}

impl FromStr for InstanceState {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match text {
            "up" => Ok(Self::Up),
            "draining" => Ok(Self::Draining),
            "disabled" => Ok(Self::Disabled),
            _ => {
                let shown: String = text.chars().take(64).collect();
                let problem = format!("`{shown}` is not a state; accepted are: up, draining, disabled");
                Err(Fault::invalid("state", problem))
            }
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
