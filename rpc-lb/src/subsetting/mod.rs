//! Each client keeps connections to a part of a large fleet.
//!
//! # Why
//! A thousand clients of a thousand instances are a million connections, nearly all of them idle, each with its memory and
//! its keepalives. A client that uses twenty instances has enough choice for balancing, and an instance is then connected to
//! by twenty clients for each that there is of a kind.
//!
//! # Which part
//! Deterministic, so that nobody has to be asked, and so that little moves when an instance comes or goes:
//!
//! - A client that knows its [`ordinal`](Subsetting::ordinal) among its kind takes a window of a ring on which all instances
//!   stand in the order of their hashes. Windows begin evenly around the ring, where the number of clients is known: the
//!   connections of any two instances differ by one at most. Where it is not known, they begin at multiples of the golden
//!   ratio, which fill the ring evenly whatever the number is: the connections of two instances differ by a handful. (A window of the ring rather than a shuffled list a round, as
//!   in "Site Reliability Engineering", chapter 20: there a single instance that leaves moves nearly everybody. The ring is
//!   Finagle's deterministic aperture, with windows of whole instances.)
//! - One that does not takes the instances with the smallest hashes under a [`seed`](Subsetting::seed) of its own (gRPC
//!   proposal A68). Connections are then spread as chance will have it.
//!
//! # Lanes, states
//! Each lane has a part of its own: a lane with three instances among a thousand would be missed by most clients otherwise.
//! Instances that drain or are disabled are not chosen; one that was chosen before keeps its connection until it goes. Those that
//! are [near](crate::Near) are used besides, whatever is chosen.
//!
//! Nothing else counts, not even whether an instance can be reached: where all of the part cannot, calls fail though others could
//! take them, and say how many there are. A part should reach across zones and racks, and be large enough that it does not go as a whole.
//!
//! # Routers
//! work on the part alone: of instances that are few, a version or those with a tag say, most clients have none, and requests for
//! them find nobody. What few instances are for is better a lane.

mod part;

use rpc_core::matcher::hash64;
use rpc_registry::InstanceId;

pub(crate) use self::part::Part;

/// Which part of the instances a client connects to. See the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subsetting {
    size: usize,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Seed(u64),
    Ordinal { client: u32, clients: Option<u32> },
}

impl Subsetting {
    /// So many instances of each lane, by a seed that is drawn now. `size` is at least 1.
    pub fn new(size: usize) -> Self {
        Self::seed(size, fastrand::u64(..))
    }

    /// The same with a seed of the client's own. Clients with the same seed use the same instances.
    pub fn seed(size: usize, seed: u64) -> Self {
        Self {
            size: size.max(1),
            by: By::Seed(seed),
        }
    }

    /// For the n-th client of its kind, from 0: a stateful set's pod has such a number.
    pub fn ordinal(size: usize, client: u32) -> Self {
        Self {
            size: size.max(1),
            by: By::Ordinal {
                client,
                clients: None,
            },
        }
    }

    /// For an [`ordinal`](Self::ordinal), says how many clients there are. One above counts as modulo the number.
    pub fn of_clients(mut self, all: u32) -> Self {
        if let By::Ordinal { clients, .. } = &mut self.by {
            *clients = (all > 0).then_some(all);
        }
        self
    }

    /// How many instances of each lane it keeps.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Chooses among instances, in whatever order they come.
    pub fn choose<'i>(&self, instances: impl IntoIterator<Item = &'i InstanceId>) -> Vec<&'i InstanceId> {
        let seed = match self.by {
            By::Seed(seed) => seed,
            By::Ordinal { .. } => 0,
        };
        let place = |id: &'i InstanceId| (hash64(id.as_str().as_bytes(), seed), id);
        let mut ring: Vec<_> = instances.into_iter().map(place).collect();
        if ring.len() > self.size {
            match self.by {
                By::Seed(_) => {
                    ring.select_nth_unstable(self.size);
                }
                By::Ordinal { client, clients } => {
                    ring.sort_unstable();
                    let begin = begin(client, clients, ring.len());
                    ring.rotate_left(begin);
                }
            }
            ring.truncate(self.size);
        }
        ring.into_iter().map(|(_, id)| id).collect()
    }
}

/// Where the window of a client begins.
#[allow(
    clippy::cast_possible_truncation,
    reason = "less than the number of instances"
)]
fn begin(client: u32, clients: Option<u32>, instances: usize) -> usize {
    // 2^64 divided by the golden ratio.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let instances = instances as u128;
    let begin = if let Some(clients) = clients {
        u128::from(client % clients) * instances / u128::from(clients)
    } else {
        (u128::from(u64::from(client).wrapping_mul(STEP)) * instances) >> 64
    };
    begin as usize
}
