//! The applications that give way to the oldest waiting one.
//!
//! Applications that wait for containers keep those they have, their app masters at least. When they
//! hold what the oldest of them needs, all wait for ever. Then younger ones give up what they have, the
//! youngest first, and begin again when there is room. An application that has all its containers
//! never gives way: it works, and ends.

use super::{Snapshot, rooms::Rooms};
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{AttemptId, NodeId, Resources};

/// Attempts that end so that the oldest application gets its containers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GiveWay {
    /// The attempt that waits.
    pub to: AttemptId,
    /// The attempts that end, the youngest first.
    pub younger: Vec<AttemptId>,
}

/// The fewest of the younger attempts, the youngest first, whose containers make room for as much as
/// possible of what is wanted. `None` when they make room for nothing more.
pub(super) fn choose(
    snapshot: &Snapshot,
    wants: &[(Resources, u64)],
    younger: &BTreeSet<AttemptId>,
) -> Option<Vec<AttemptId>> {
    if placed(snapshot, wants, &BTreeSet::new()) > 0 {
        // The resources about to become free suffice.
        return None;
    }
    let most = placed(snapshot, wants, younger);
    if most == 0 {
        return None;
    }
    let mut chosen = BTreeSet::new();
    for &attempt in younger.iter().rev() {
        chosen.insert(attempt);
        if placed(snapshot, wants, &chosen) >= most {
            break;
        }
    }
    // The oldest first: whose containers are of no use keeps them.
    for attempt in chosen.clone() {
        chosen.remove(&attempt);
        if placed(snapshot, wants, &chosen) < most {
            chosen.insert(attempt);
        }
    }
    Some(chosen.into_iter().rev().collect())
}

/// How many of the wanted containers fit when some attempts have given up theirs.
fn placed(snapshot: &Snapshot, wants: &[(Resources, u64)], gone: &BTreeSet<AttemptId>) -> u64 {
    let free = |node: &super::NodeRoom| (node.node.clone(), node.free.saturating_add(node.ending));
    let mut free: BTreeMap<NodeId, Resources> = snapshot.nodes.iter().map(free).collect();
    for holding in snapshot.holdings.iter().filter(|one| gone.contains(&one.attempt)) {
        if let Some(free) = free.get_mut(&holding.node) {
            *free = free.saturating_add(holding.resources);
        }
    }
    let mut rooms = Rooms::new(free);
    let mut placed = 0;
    for &(needs, missing) in wants {
        let mut left = missing;
        while left > 0 && rooms.take(needs, &BTreeSet::new()).is_some() {
            left -= 1;
            placed += 1;
        }
    }
    placed
}
