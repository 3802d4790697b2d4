//! The files that containers use, by content: absent, being fetched, or present.
//!
//! ```text
//!            acquire                 fetched
//!  absent ─────────────▶ fetching ─────────────▶ present ──evict──▶ absent
//!     ▲                     │
//!     └──── failed ─────────┘
//! ```
//!
//! A file counts its users: live containers that were promised it. Of the files without users, the
//! ones used longest ago go first when the present ones are larger together than the target.

use crate::backoff::Backoff;
use crate::messages::CachedFile;
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{ArtifactHash, ContainerId, Monotonic, invariant};

/// What an [`Cache::acquire`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acquired {
    /// It is there.
    Present,
    /// It is being fetched.
    Fetching,
    /// It has to be fetched now.
    Absent,
    /// The same content is known with another size.
    OtherSize(u64),
}

/// What to do about a fetch that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AfterFailure {
    /// It is tried again later.
    Later,
    /// These containers cannot have it.
    GivenUp(BTreeSet<ContainerId>),
}

/// How a failed fetch is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Retry {
    /// How often it may fail in all.
    pub tries: u32,
    pub now: Monotonic,
    pub backoff: Backoff,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Fetching { failures: u32, retry_at: Option<Monotonic> },
    Present { last_use: u64 },
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    size_bytes: u64,
    users: BTreeSet<ContainerId>,
    state: State,
}

/// The cache of a node.
#[derive(Clone, Default, Debug)]
pub(crate) struct Cache {
    entries: BTreeMap<ArtifactHash, Entry>,
    /// Grows with each use, so that uses have an order.
    uses: u64,
}

impl Cache {
    /// A file that an earlier start left.
    pub fn recover(&mut self, file: CachedFile) {
        self.uses += 1;
        let state = State::Present { last_use: self.uses };
        let CachedFile { hash, size_bytes } = file;
        self.entries.insert(hash, Entry { size_bytes, users: BTreeSet::new(), state });
    }

    /// Promises a file to a container.
    pub fn acquire(&mut self, container: ContainerId, file: CachedFile) -> Acquired {
        self.uses += 1;
        let CachedFile { hash, size_bytes } = file;
        let Some(entry) = self.entries.get_mut(&hash) else {
            let users = BTreeSet::from([container]);
            let state = State::Fetching { failures: 0, retry_at: None };
            self.entries.insert(hash, Entry { size_bytes, users, state });
            return Acquired::Absent;
        };
        if entry.size_bytes != size_bytes {
            return Acquired::OtherSize(entry.size_bytes);
        }
        entry.users.insert(container);
        match &mut entry.state {
            State::Fetching { .. } => Acquired::Fetching,
            State::Present { last_use } => {
                *last_use = self.uses;
                Acquired::Present
            }
        }
    }

    /// The container needs no file any more.
    pub fn release(&mut self, container: ContainerId) {
        for entry in self.entries.values_mut() {
            if entry.users.remove(&container)
                && let State::Present { last_use } = &mut entry.state
            {
                self.uses += 1;
                *last_use = self.uses;
            }
        }
    }

    /// A file has been fetched: the containers that may be waiting for it. An answer that nobody
    /// waits for any more changes nothing.
    pub fn fetched(&mut self, hash: ArtifactHash) -> BTreeSet<ContainerId> {
        self.uses += 1;
        match self.entries.get_mut(&hash) {
            Some(entry) if matches!(entry.state, State::Fetching { .. }) => {
                entry.state = State::Present { last_use: self.uses };
                entry.users.clone()
            }
            _ => BTreeSet::new(),
        }
    }

    /// A fetch has failed; it is tried again where that can help, unless it has failed too often or
    /// nobody wants the file any more.
    pub fn failed(&mut self, hash: ArtifactHash, retry: Option<Retry>) -> AfterFailure {
        let nobody = AfterFailure::GivenUp(BTreeSet::new());
        let Some(entry) = self.entries.get_mut(&hash) else { return nobody };
        let State::Fetching { failures, retry_at } = &mut entry.state else { return nobody };
        if retry_at.is_some() {
            return AfterFailure::Later;
        }
        *failures += 1;
        if let Some(Retry { tries, now, backoff }) = retry
            && *failures < tries
            && !entry.users.is_empty()
        {
            *retry_at = Some(now.after(backoff.wait(*failures - 1)));
            return AfterFailure::Later;
        }
        let users = self.entries.remove(&hash).map(|entry| entry.users).unwrap_or_default();
        AfterFailure::GivenUp(users)
    }

    /// Files whose next try is due.
    pub fn due(&mut self, now: Monotonic) -> Vec<CachedFile> {
        let mut due = Vec::new();
        for (&hash, entry) in &mut self.entries {
            if let State::Fetching { retry_at, .. } = &mut entry.state
                && retry_at.is_some_and(|at| at <= now)
            {
                *retry_at = None;
                due.push(CachedFile { hash, size_bytes: entry.size_bytes });
            }
        }
        due
    }

    /// When the next try is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let retries = self.entries.values().filter_map(|entry| match entry.state {
            State::Fetching { retry_at, .. } => retry_at,
            State::Present { .. } => None,
        });
        retries.min()
    }

    /// Whether every file promised to the container is there.
    pub fn has_all_of(&self, container: ContainerId) -> bool {
        let present = |entry: &Entry| matches!(entry.state, State::Present { .. });
        self.entries.values().all(|entry| !entry.users.contains(&container) || present(entry))
    }

    /// Drops unused files, the one used longest ago first, until the rest is within the target.
    pub fn evict(&mut self, target_bytes: u64) -> Vec<ArtifactHash> {
        let mut dropped = Vec::new();
        let mut size_bytes = self.size_bytes();
        while size_bytes > target_bytes {
            let unused = self.entries.iter().filter(|(_, entry)| entry.users.is_empty());
            let by_age = unused.filter_map(|(&hash, entry)| match entry.state {
                State::Present { last_use } => Some((last_use, hash, entry.size_bytes)),
                State::Fetching { .. } => None,
            });
            let Some((_, hash, freed_bytes)) = by_age.min() else { break };
            self.entries.remove(&hash);
            size_bytes -= freed_bytes;
            dropped.push(hash);
        }
        dropped
    }

    /// Size of the present files.
    pub fn size_bytes(&self) -> u64 {
        let present = self.entries.values().filter_map(|entry| match entry.state {
            State::Present { .. } => Some(entry.size_bytes),
            State::Fetching { .. } => None,
        });
        present.fold(0, u64::saturating_add)
    }

    /// Number of files, present or being fetched.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What must hold between any two steps.
    pub fn check(&self, is_live: impl Fn(ContainerId) -> bool) {
        for (hash, entry) in &self.entries {
            let all_live = entry.users.iter().all(|&user| is_live(user));
            invariant!(all_live, "file {hash} is held for a container that has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn file(tag: u8, size_bytes: u64) -> CachedFile {
        CachedFile { hash: ArtifactHash([tag; 32]), size_bytes }
    }

    fn container(sequence: u64) -> ContainerId {
        ContainerId { sequence, ..ContainerId::default() }
    }

    #[test]
    fn oldest_unused_files_go_first_and_used_ones_stay() {
        let mut cache = Cache::default();
        for tag in 1..=4 {
            cache.recover(file(tag, 10));
        }
        assert_eq!(cache.acquire(container(1), file(1, 10)), Acquired::Present);
        assert_eq!(cache.acquire(container(2), file(2, 10)), Acquired::Present);
        cache.release(container(2));
        assert_eq!(cache.evict(20), vec![file(3, 0).hash, file(4, 0).hash]);
        assert_eq!(cache.evict(5), vec![file(2, 0).hash]);
        assert_eq!(cache.size_bytes(), 10);
    }

    #[test]
    fn one_fetch_serves_all_who_wait() {
        let mut cache = Cache::default();
        assert_eq!(cache.acquire(container(1), file(1, 10)), Acquired::Absent);
        assert_eq!(cache.acquire(container(2), file(1, 10)), Acquired::Fetching);
        assert_eq!(cache.acquire(container(3), file(1, 11)), Acquired::OtherSize(10));
        assert!(!cache.has_all_of(container(2)));
        assert_eq!(cache.fetched(file(1, 0).hash), BTreeSet::from([container(1), container(2)]));
        assert!(cache.fetched(file(1, 0).hash).is_empty(), "a repeated answer wakes nobody");
        assert!(cache.has_all_of(container(2)));
    }

    #[test]
    fn fetch_is_given_up_after_its_tries_or_when_nobody_wants_it() {
        let mut cache = Cache::default();
        let ms = Duration::from_millis;
        let backoff = Backoff { min: ms(5), max: ms(9) };
        let retry = Some(Retry { tries: 2, now: Monotonic(0), backoff });
        let at = Monotonic(5);
        cache.acquire(container(1), file(1, 10));
        let hash = file(1, 0).hash;
        assert_eq!(cache.failed(hash, retry), AfterFailure::Later);
        assert_eq!((cache.due(Monotonic(4)), cache.next_deadline()), (vec![], Some(at)));
        assert_eq!(cache.due(at), vec![file(1, 10)]);
        let users = BTreeSet::from([container(1)]);
        assert_eq!(cache.failed(hash, retry), AfterFailure::GivenUp(users));
        assert_eq!(cache.len(), 0);

        cache.acquire(container(1), file(1, 10));
        cache.release(container(1));
        let nobody = AfterFailure::GivenUp(BTreeSet::new());
        assert_eq!(cache.failed(hash, retry), nobody);
    }
}
