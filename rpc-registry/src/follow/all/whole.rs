//! How far a list can be trusted that several targets made.

use crate::{Fault, Freshness};

/// The freshness of the whole, from what each target says of its part. Faults are told with the target's name.
pub(super) fn freshness(parts: &[(&str, &Freshness)]) -> Freshness {
    let fault = parts.iter().find_map(|(target, part)| {
        let fault = part.fault()?;
        Some(Fault::new(fault.kind(), format!("`{target}`: {fault}")).with_source(fault.clone()))
    });
    let are = |wanted: fn(&Freshness) -> bool| parts.iter().filter(|(_, part)| wanted(part)).count();
    let live = are(|part| matches!(part, Freshness::Live));
    if live == parts.len() {
        return Freshness::Live;
    }
    if live > 0 {
        return Freshness::Partial { fault };
    }
    let Some(fault) = fault else {
        return Freshness::Pending;
    };
    // The oldest part says how old the whole may be.
    let saved_at = parts.iter().filter_map(|(_, part)| match part {
        Freshness::Disk { saved_at, .. } => Some(*saved_at),
        _ => None,
    });
    let since = parts.iter().filter_map(|(_, part)| match part {
        Freshness::Stale { since, .. } => Some(*since),
        _ => None,
    });
    match (saved_at.min(), since.min()) {
        (Some(saved_at), _) => Freshness::Disk { saved_at, fault },
        (None, Some(since)) => Freshness::Stale { since, fault },
        (None, None) if are(|part| matches!(part, Freshness::Pending)) > 0 => Freshness::Pending,
        (None, None) => Freshness::Unresolved(fault),
    }
}
