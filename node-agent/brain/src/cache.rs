//! The files that containers use, by content: absent, being fetched, or present.
//!
//! ```text
//!            acquire                 fetched
//!  absent ─────────────▶ fetching ─────────────▶ present ──evict──▶ absent
//!     ▲                     │
//!     └──── failed ─────────┘
//! ```
//!
//! Each file counts its users: running containers that need it. When the present files exceed the
//! target size, files without users are evicted, least recently used first.
//!
//! Containers may request the same content with different sizes. The size of a present, used file is known to
//! be right. While a file is being fetched, requests with another size wait: if the fetch succeeds, they fail;
//! if it fails, the file is fetched again with their size.

use crate::backoff::Backoff;
use crate::messages::CachedFile;
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{ArtifactHash, ContainerId, Monotonic, invariant};

/// Result of [`Cache::acquire`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acquired {
    /// The file is present.
    Present,
    /// The file is being fetched, with this size or another.
    Fetching,
    /// The file must be fetched now.
    Absent,
    /// An unused file of another size must be deleted, and this one fetched now.
    Replaced,
    /// The same content is in use with another size.
    OtherSize(u64),
}

/// Reaction to a failed fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AfterFailure {
    /// It is repeated later.
    Later,
    /// It is not repeated.
    GivenUp {
        /// Containers that cannot have the file.
        users: BTreeSet<ContainerId>,
        /// The fetch to begin now, with the size that other containers requested.
        next: Option<CachedFile>,
    },
}

/// Containers that a completed fetch affects.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fetched {
    /// Containers that may have been waiting for the file.
    pub users: BTreeSet<ContainerId>,
    /// Containers that requested another size.
    pub mistaken: BTreeMap<ContainerId, u64>,
    /// Actual size of the file.
    pub size_bytes: u64,
}

/// Rule for repeating a failed fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Retry {
    /// Failures in all after which it is given up.
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
    /// Requests with another size, while the file is being fetched.
    other_sizes: BTreeMap<ContainerId, u64>,
    state: State,
}

impl Entry {
    fn new(size_bytes: u64, state: State) -> Self {
        Self { size_bytes, users: BTreeSet::new(), other_sizes: BTreeMap::new(), state }
    }

    fn fetched_for(container: ContainerId, size_bytes: u64) -> Self {
        let users = BTreeSet::from([container]);
        Self { users, ..Self::new(size_bytes, State::Fetching { failures: 0, retry_at: None }) }
    }

    /// A fetch with the first other size and its users; requests with further sizes continue to wait.
    fn by_other_size(mut other_sizes: BTreeMap<ContainerId, u64>) -> Option<Self> {
        let (container, size_bytes) = other_sizes.pop_first()?;
        let mut entry = Self::fetched_for(container, size_bytes);
        for (other, said_bytes) in other_sizes {
            if said_bytes == size_bytes {
                entry.users.insert(other);
            } else {
                entry.other_sizes.insert(other, said_bytes);
            }
        }
        Some(entry)
    }

    fn acquire_other_size(&mut self, container: ContainerId, size_bytes: u64) -> Acquired {
        match self.state {
            State::Fetching { .. } => {
                self.other_sizes.insert(container, size_bytes);
                Acquired::Fetching
            }
            State::Present { .. } if self.users.is_empty() => {
                *self = Self::fetched_for(container, size_bytes);
                Acquired::Replaced
            }
            State::Present { .. } => Acquired::OtherSize(self.size_bytes),
        }
    }
}

/// The cache of a node.
#[derive(Clone, Default, Debug)]
pub(crate) struct Cache {
    entries: BTreeMap<ArtifactHash, Entry>,
    /// Grows with each use, which gives uses an order.
    uses: u64,
}

impl Cache {
    /// Adds a file that an earlier start of the agent has left.
    pub fn recover(&mut self, file: CachedFile) {
        self.uses += 1;
        let state = State::Present { last_use: self.uses };
        let CachedFile { hash, size_bytes } = file;
        self.entries.insert(hash, Entry::new(size_bytes, state));
    }

    /// Promises a file to a container.
    pub fn acquire(&mut self, container: ContainerId, file: CachedFile) -> Acquired {
        self.uses += 1;
        let CachedFile { hash, size_bytes } = file;
        let Some(entry) = self.entries.get_mut(&hash) else {
            self.entries.insert(hash, Entry::fetched_for(container, size_bytes));
            return Acquired::Absent;
        };
        if entry.size_bytes != size_bytes {
            return entry.acquire_other_size(container, size_bytes);
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
            entry.other_sizes.remove(&container);
            if entry.users.remove(&container)
                && let State::Present { last_use } = &mut entry.state
            {
                self.uses += 1;
                *last_use = self.uses;
            }
        }
    }

    /// Records that a file was fetched. A result for which no container waits changes nothing.
    pub fn fetched(&mut self, hash: ArtifactHash) -> Fetched {
        self.uses += 1;
        match self.entries.get_mut(&hash) {
            Some(entry) if matches!(entry.state, State::Fetching { .. }) => {
                entry.state = State::Present { last_use: self.uses };
                Fetched {
                    users: entry.users.clone(),
                    mistaken: std::mem::take(&mut entry.other_sizes),
                    size_bytes: entry.size_bytes,
                }
            }
            _ => Fetched::default(),
        }
    }

    /// Records a failed fetch; it is repeated where that can help, unless it has failed too often or
    /// no container waits for the file.
    pub fn failed(&mut self, hash: ArtifactHash, retry: Option<Retry>) -> AfterFailure {
        let nobody = AfterFailure::GivenUp { users: BTreeSet::new(), next: None };
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
        let users = std::mem::take(&mut entry.users);
        let mut other_sizes = std::mem::take(&mut entry.other_sizes);
        other_sizes.retain(|container, _| !users.contains(container));
        self.entries.remove(&hash);
        let next = Entry::by_other_size(other_sizes).map(|entry| {
            let size_bytes = entry.size_bytes;
            self.entries.insert(hash, entry);
            CachedFile { hash, size_bytes }
        });
        AfterFailure::GivenUp { users, next }
    }

    /// Files whose next attempt is due.
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

    /// Time of the next attempt.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let retries = self.entries.values().filter_map(|entry| match entry.state {
            State::Fetching { retry_at, .. } => retry_at,
            State::Present { .. } => None,
        });
        retries.min()
    }

    /// Whether every file promised to the container is present.
    pub fn has_all_of(&self, container: ContainerId) -> bool {
        let present = |entry: &Entry| matches!(entry.state, State::Present { .. });
        let waits = |entry: &Entry| entry.other_sizes.contains_key(&container);
        let has = |entry: &Entry| !entry.users.contains(&container) || present(entry);
        self.entries.values().all(|entry| !waits(entry) && has(entry))
    }

    /// Evicts unused files, least recently used first, until the rest is within the target.
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

    /// Asserts the invariants, which hold between any two steps.
    pub fn check(&self, is_live: impl Fn(ContainerId) -> bool) {
        for (hash, entry) in &self.entries {
            let holders = entry.users.iter().chain(entry.other_sizes.keys());
            let all_live = holders.copied().all(&is_live);
            invariant!(all_live, "file {hash} is held for a container that has ended");
            let is_fetched = matches!(entry.state, State::Fetching { .. });
            let settled = is_fetched || entry.other_sizes.is_empty();
            invariant!(settled, "file {hash} is there, and its size in doubt");
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
    fn one_fetch_serves_all_waiting_containers() {
        let mut cache = Cache::default();
        assert_eq!(cache.acquire(container(1), file(1, 10)), Acquired::Absent);
        assert_eq!(cache.acquire(container(2), file(1, 10)), Acquired::Fetching);
        assert!(!cache.has_all_of(container(2)));
        let users = BTreeSet::from([container(1), container(2)]);
        let fetched = Fetched { users, mistaken: BTreeMap::new(), size_bytes: 10 };
        assert_eq!(cache.fetched(file(1, 0).hash), fetched);
        let repeated = cache.fetched(file(1, 0).hash);
        assert_eq!(repeated, Fetched::default(), "a repeated answer wakes nobody");
        assert!(cache.has_all_of(container(2)));
    }

    #[test]
    fn other_size_waits_for_the_fetch_and_is_wrong_when_that_succeeds() {
        let mut cache = Cache::default();
        cache.acquire(container(1), file(1, 10));
        assert_eq!(cache.acquire(container(2), file(1, 11)), Acquired::Fetching);
        assert!(!cache.has_all_of(container(2)));
        let fetched = cache.fetched(file(1, 0).hash);
        assert_eq!(fetched.mistaken, BTreeMap::from([(container(2), 11)]));
        assert_eq!(cache.acquire(container(3), file(1, 11)), Acquired::OtherSize(10));
    }

    #[test]
    fn other_size_is_fetched_when_the_first_cannot_be_had() {
        let mut cache = Cache::default();
        cache.acquire(container(1), file(1, 10));
        for (sequence, size_bytes) in [(2, 11), (3, 12), (4, 11), (5, 11)] {
            cache.acquire(container(sequence), file(1, size_bytes));
        }
        cache.release(container(5));
        let hash = file(1, 0).hash;
        let given_up = |user, next| {
            let users = BTreeSet::from_iter(user);
            AfterFailure::GivenUp { users, next }
        };
        let first = given_up(vec![container(1)], Some(file(1, 11)));
        assert_eq!(cache.failed(hash, None), first);
        let second = given_up(vec![container(2), container(4)], Some(file(1, 12)));
        assert_eq!(cache.failed(hash, None), second);
        assert_eq!(cache.fetched(hash).users, BTreeSet::from([container(3)]));
    }

    #[test]
    fn unused_file_of_another_size_is_replaced() {
        let mut cache = Cache::default();
        cache.recover(file(1, 7));
        assert_eq!(cache.acquire(container(1), file(1, 10)), Acquired::Replaced);
        assert!(!cache.has_all_of(container(1)));
        assert_eq!(cache.fetched(file(1, 0).hash).users, BTreeSet::from([container(1)]));
    }

    #[test]
    fn fetch_ends_after_its_tries_or_when_no_container_needs_the_file() {
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
        assert_eq!(cache.failed(hash, retry), AfterFailure::GivenUp { users, next: None });
        assert_eq!(cache.len(), 0);

        cache.acquire(container(1), file(1, 10));
        cache.release(container(1));
        let nobody = AfterFailure::GivenUp { users: BTreeSet::new(), next: None };
        assert_eq!(cache.failed(hash, retry), nobody);
    }
}
