//! The part of a large fleet that one client uses.

use std::{collections::HashSet, fmt};

use crate::{Instance, InstanceId};

/// Chooses the part of a large fleet that one client uses.
///
/// Ten thousand clients that each connect to all of ten thousand instances make a hundred million connections that mostly
/// do nothing. Whoever narrows should choose the same for the same instances, and change little when few of them change.
pub trait Narrow: Send + Sync + fmt::Debug + 'static {
    /// The instances that are used, out of those of a lane that are up and passed the filter. Called at each change, for each
    /// lane. One that was used and is draining or disabled now stays on the list until it goes, and is not among them.
    fn narrow(&self, candidates: &[&Instance]) -> HashSet<InstanceId>;
}

/// Uses the `size` instances of each lane that score highest for this client: each client has its own, all instances are used by about
/// as many clients, and one that comes or goes changes one place in few clients' choices.
///
/// The algorithm is rendezvous hashing (D. Thaler, C. Ravishankar, *Using name-based mappings to increase hit rates*, 1998).
#[derive(Debug, Clone)]
pub struct Rendezvous {
    client: u64,
    size: usize,
    above: usize,
}

impl Rendezvous {
    /// The usual number of instances below which all are used.
    const ABOVE: usize = 100;

    /// Uses `size` instances, at least 1. `client` distinguishes clients: a host's name and process id, say.
    pub fn new(client: &str, size: usize) -> Self {
        Self {
            client: fnv(0, client.as_bytes()),
            size: size.max(1),
            above: Self::ABOVE,
        }
    }

    /// Uses all instances of a lane while there are at most so many. Default: 100.
    pub fn above(mut self, instances: usize) -> Self {
        self.above = instances;
        self
    }
}

impl Narrow for Rendezvous {
    fn narrow(&self, candidates: &[&Instance]) -> HashSet<InstanceId> {
        let id = |instance: &&Instance| instance.id.clone();
        if candidates.len() <= self.above.max(self.size) {
            return candidates.iter().map(id).collect();
        }
        let score = |instance: &&Instance| mix(fnv(self.client, instance.id.as_str().as_bytes()));
        let mut scored: Vec<_> = candidates
            .iter()
            .map(|instance| (score(instance), *instance))
            .collect();
        scored.select_nth_unstable_by(self.size - 1, |a, b| {
            b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id))
        });
        scored[..self.size]
            .iter()
            .map(|(_, instance)| instance.id.clone())
            .collect()
    }
}

/// FNV-1a, 64 bits: the same in every build, which the standard library's hasher does not promise.
pub(super) fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// FNV's high bits hardly depend on the last bytes; the finaliser of `MurmurHash3` spreads them.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(client: &str, fleet: &[Instance]) -> HashSet<InstanceId> {
        let all: Vec<_> = fleet.iter().collect();
        Rendezvous::new(client, 20).narrow(&all)
    }

    #[test]
    fn each_client_has_its_own_part_and_a_change_moves_little() {
        let mut fleet: Vec<_> = (0..200).map(|n| Instance::new(format!("i-{n}"))).collect();
        let before = chosen("a", &fleet);
        assert_eq!(before.len(), 20);
        assert_eq!(before, chosen("a", &fleet));
        assert_ne!(before, chosen("b", &fleet));
        let gone = before.iter().next().unwrap().clone();
        fleet.retain(|instance| instance.id != gone);
        let after = chosen("a", &fleet);
        assert_eq!(after.intersection(&before).count(), 19);
    }

    #[test]
    fn instances_are_used_about_equally() {
        let fleet: Vec<_> = (0..200).map(|n| Instance::new(format!("i-{n}"))).collect();
        let mut uses = std::collections::HashMap::<InstanceId, usize>::new();
        for client in 0..1000 {
            for id in chosen(&format!("client-{client}"), &fleet) {
                *uses.entry(id).or_default() += 1;
            }
        }
        // 100 are expected of each; five standard deviations of a binomial are 47.
        assert_eq!(uses.len(), 200);
        assert!(uses.values().all(|n| (50..150).contains(n)), "{uses:?}");
    }

    #[test]
    fn a_small_fleet_is_used_whole() {
        let fleet: Vec<_> = (0..100).map(|n| Instance::new(format!("i-{n}"))).collect();
        assert_eq!(chosen("a", &fleet).len(), 100);
    }
}
