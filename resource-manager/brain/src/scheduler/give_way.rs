//! Chooses the applications that give way to the oldest waiting one.
//!
//! Applications that wait for containers keep the containers that they have, at least their app masters. If
//! they hold the resources that the oldest one needs, all of them wait for ever. To prevent that, younger ones
//! give up their containers, the youngest first, and begin again when there is room. An application that
//! has all its containers never gives way, because it can finish.

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

/// The smallest set of younger attempts, the youngest first, whose containers make room for as many of the
/// wanted containers as possible. `None` if they make room for no container.
pub(super) fn choose(
    snapshot: &Snapshot,
    wants: &[(Resources, u64)],
    younger: &BTreeSet<AttemptId>,
) -> Option<Vec<AttemptId>> {
    if placed(snapshot, wants, &BTreeSet::new()) > 0 {
        // The resources that will become free soon make room for a container.
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
    // From the oldest on, remove attempts whose containers make no difference.
    for attempt in chosen.clone() {
        chosen.remove(&attempt);
        if placed(snapshot, wants, &chosen) < most {
            chosen.insert(attempt);
        }
    }
    Some(chosen.into_iter().rev().collect())
}

/// The number of wanted containers that fit after some attempts have given up theirs.
fn placed(snapshot: &Snapshot, wants: &[(Resources, u64)], ended: &BTreeSet<AttemptId>) -> u64 {
    let free = |node: &super::NodeRoom| (node.node.clone(), node.free.saturating_add(node.ending));
    let mut free: BTreeMap<NodeId, Resources> = snapshot.nodes.iter().map(free).collect();
    for holding in snapshot.holdings.iter().filter(|one| ended.contains(&one.attempt)) {
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
