//! The peers of a port that have connected and not yet proved who they are: a bounded number, of which the
//! oldest gives way to the newest.
//!
//! ```text
//! accepted ─▶ admit ─▶ pending ─▶ remove: proved, or its connection has ended
//!               │         └─────▶ given way: its connection is closed
//!               └─ over a limit: which one gives way
//! ```
//!
//! A new peer is never refused. A flood of silent connections therefore removes its own older connections, and
//! a peer that proves itself at once always gets in. What a pending peer is, is known to the caller alone:
//! commonly the means to close its connection.

use std::{collections::BTreeMap, net::IpAddr};

/// How many peers may be pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingLimits {
    /// Limit for all addresses together.
    pub total: usize,
    /// Limit for one address. Loopback is exempt, since every process there has the same address.
    pub per_address: usize,
}

/// Names a pending peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PendingId(u64);

/// See the module.
#[derive(Debug)]
pub struct PendingPeers<T> {
    limits: PendingLimits,
    last: PendingId,
    /// The oldest first.
    peers: BTreeMap<PendingId, (IpAddr, T)>,
}

impl<T> PendingPeers<T> {
    /// No peer is pending yet.
    pub fn new(limits: PendingLimits) -> Self {
        Self { limits, last: PendingId(0), peers: BTreeMap::new() }
    }

    /// Adds a peer as the newest. If that exceeds a limit, the oldest peer of the limited ones gives way: it
    /// is removed and returned.
    pub fn admit(&mut self, address: IpAddr, peer: T) -> (PendingId, Option<T>) {
        let address = address.to_canonical();
        let gives_way = self.gives_way_to(address);
        let given_way = gives_way.and_then(|oldest| self.remove(oldest));
        (self.add(address, peer), given_way)
    }

    /// Makes a peer the newest, since it has been active. `None` when it is not pending any more.
    pub fn renew(&mut self, id: PendingId) -> Option<PendingId> {
        let (address, peer) = self.peers.remove(&id)?;
        Some(self.add(address, peer))
    }

    /// The peer is not pending any more. `None` when it has given way before.
    pub fn remove(&mut self, id: PendingId) -> Option<T> {
        self.peers.remove(&id).map(|(_, peer)| peer)
    }

    /// Peers that are pending.
    pub fn count(&self) -> usize {
        self.peers.len()
    }

    fn add(&mut self, address: IpAddr, peer: T) -> PendingId {
        self.last.0 += 1;
        self.peers.insert(self.last, (address, peer));
        self.last
    }

    fn gives_way_to(&self, address: IpAddr) -> Option<PendingId> {
        let of_address = || self.peers.iter().filter(|(_, (of, _))| *of == address);
        if !address.is_loopback() && of_address().count() >= self.limits.per_address {
            return of_address().next().map(|(id, _)| *id);
        }
        let is_full = self.peers.len() >= self.limits.total;
        self.peers.keys().next().copied().filter(|_| is_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PendingLimits = PendingLimits { total: 4, per_address: 2 };
    const LOOPBACK: &str = "127.0.0.1";

    /// Admits peers from these addresses, numbered from 1; which of them give way.
    fn given_way(addresses: &[&str]) -> Vec<usize> {
        let mut peers = PendingPeers::new(LIMITS);
        let given_way = addresses.iter().enumerate().filter_map(|(index, address)| {
            peers.admit(address.parse().expect("an address"), index + 1).1
        });
        given_way.collect()
    }

    #[test]
    fn oldest_pending_peer_is_dropped_for_the_newest() {
        for (addresses, expect) in [
            (vec![LOOPBACK; 4], vec![]),
            (vec![LOOPBACK; 6], vec![1, 2]),
            (vec!["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"], vec![1]),
            // An address over its own limit harms no other.
            (vec!["10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.2"], vec![2, 3]),
            (vec!["10.0.0.2", "::ffff:10.0.0.2", "10.0.0.2"], vec![1]),
            (vec!["::1"; 5], vec![1]),
        ] {
            assert_eq!(given_way(&addresses), expect, "{addresses:?}");
        }
    }

    #[test]
    fn peer_that_was_active_or_has_proved_itself_does_not_give_way() {
        let loopback = LOOPBACK.parse().expect("an address");
        let mut peers = PendingPeers::new(LIMITS);
        let ids = [1, 2, 3, 4].map(|peer| peers.admit(loopback, peer).0);
        let renewed = peers.renew(ids[0]).expect("it is pending");
        assert_eq!(peers.remove(ids[1]), Some(2));
        assert_eq!(peers.admit(loopback, 5).1, None);
        assert_eq!(
            [6, 7, 8].map(|peer| peers.admit(loopback, peer).1),
            [Some(3), Some(4), Some(1)]
        );
        assert_eq!((peers.renew(renewed), peers.remove(renewed)), (None, None));
        assert_eq!(peers.count(), 4);
    }
}
