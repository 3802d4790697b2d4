//! Failure episodes: which of the failures that come together is the cause.
//!
//! An episode begins with the first failure of a deployment and lasts until the next deployment, or the
//! end of the job. When a task host dies, its neighbours lose their connections and fail too, and their
//! reports often arrive first. So the cause of an episode does not depend on the order of arrival: it is
//! the failure with the strongest [`Rank`], and among equal ranks the first.

use std::collections::VecDeque;
use weir_base::{Failure, FailureOrigin, Now};

/// Episodes that are kept for display.
const MAX_EPISODES: usize = 16;
/// Consequences of one episode that are kept for display; further ones are only counted.
const MAX_CONSEQUENCES: usize = 16;

/// A failure and when it was reported to the job master.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureRecord {
    /// Display time in milliseconds since 1970.
    pub wall_ms: u64,
    pub failure: Failure,
    /// The subtask at the other end of the connection that was lost: `Map (1/2)`.
    pub lost_peer: Option<String>,
}

/// The cause of an interruption of the job, and the failures that followed from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureEpisode {
    /// The cause.
    pub root: FailureRecord,
    /// Other failures of the episode in the order of their reports, at most 16.
    pub consequences: Vec<FailureRecord>,
    /// Further consequences, which are not kept.
    pub omitted_consequences: u32,
}

impl FailureEpisode {
    /// An episode with one failure.
    pub fn of(root: FailureRecord) -> Self {
        Self { root, consequences: Vec::new(), omitted_consequences: 0 }
    }

    /// Number of failures besides the cause.
    pub fn consequence_count(&self) -> u32 {
        self.consequences.len() as u32 + self.omitted_consequences
    }
}

/// How close a failure is to the cause of its episode, the closest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    /// No retry mends it, so it decides that the job ends.
    Permanent,
    /// A task, task host or container failed by itself.
    Own,
    /// A task failed after it had been ordered to stop.
    WhileStopping,
    /// A task lost the connection to a task of another task host.
    LostPeer,
}

impl Rank {
    fn of(self, failure: &Failure) -> Self {
        match failure.origin {
            FailureOrigin::Permanent => Self::Permanent,
            _ => self,
        }
    }
}

#[derive(Clone, Debug)]
struct Episode {
    rank: Rank,
    shown: FailureEpisode,
}

impl Episode {
    fn add(&mut self, rank: Rank, record: FailureRecord) {
        let shown = &mut self.shown;
        if rank < self.rank {
            self.rank = rank;
            let former = std::mem::replace(&mut shown.root, record);
            // The former root is the earliest of its rank.
            shown.consequences.insert(0, former);
        } else {
            shown.consequences.push(record);
        }
        if shown.consequences.len() > MAX_CONSEQUENCES {
            shown.consequences.truncate(MAX_CONSEQUENCES);
            shown.omitted_consequences += 1;
        }
    }
}

/// The latest episodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Episodes {
    /// Newest first.
    episodes: VecDeque<Episode>,
    /// The newest one has not ended.
    is_open: bool,
}

impl Episodes {
    /// Adds a failure to the open episode, or begins one. A permanent failure always has the rank of one.
    pub(super) fn add(
        &mut self,
        now: Now,
        rank: Rank,
        failure: &Failure,
        lost_peer: Option<String>,
    ) {
        let rank = rank.of(failure);
        let record = FailureRecord { wall_ms: now.wall.0, failure: failure.clone(), lost_peer };
        match self.episodes.front_mut().filter(|_| self.is_open) {
            Some(episode) => episode.add(rank, record),
            None => {
                self.episodes.push_front(Episode { rank, shown: FailureEpisode::of(record) });
                self.episodes.truncate(MAX_EPISODES);
                self.is_open = true;
            }
        }
    }

    /// The job is deployed again: what fails from now on has another cause.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// The cause of the open episode.
    pub(super) fn root(&self) -> Option<&Failure> {
        let newest = self.episodes.front().filter(|_| self.is_open)?;
        Some(&newest.shown.root.failure)
    }

    /// Appends to the message of the cause of the open episode.
    pub(super) fn add_to_root(&mut self, text: &str) {
        if let Some(newest) = self.episodes.front_mut().filter(|_| self.is_open) {
            newest.shown.root.failure.message.push_str(text);
        }
    }

    /// Newest first.
    pub(super) fn shown(&self) -> impl Iterator<Item = &FailureEpisode> {
        self.episodes.iter().map(|episode| &episode.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: &str, origin: FailureOrigin) -> Failure {
        Failure::new(code, origin, String::new())
    }

    fn add(episodes: &mut Episodes, rank: Rank, code: &str) {
        episodes.add(Now::default(), rank, &failure(code, FailureOrigin::External), None);
    }

    fn codes(episode: &FailureEpisode) -> Vec<&str> {
        let records = std::iter::once(&episode.root).chain(&episode.consequences);
        records.map(|record| record.failure.code.as_str()).collect()
    }

    #[test]
    fn strongest_rank_is_the_root_and_among_equals_the_first() {
        for (added, expected) in [
            (vec![(Rank::LostPeer, "a"), (Rank::LostPeer, "b")], vec!["a", "b"]),
            (
                vec![(Rank::LostPeer, "a"), (Rank::LostPeer, "b"), (Rank::Own, "c")],
                vec!["c", "a", "b"],
            ),
            (
                vec![(Rank::LostPeer, "a"), (Rank::WhileStopping, "b"), (Rank::Own, "c")],
                vec!["c", "b", "a"],
            ),
            (vec![(Rank::Own, "a"), (Rank::Own, "b"), (Rank::LostPeer, "c")], vec!["a", "b", "c"]),
        ] {
            let mut episodes = Episodes::default();
            added.iter().for_each(|(rank, code)| add(&mut episodes, *rank, code));
            let shown: Vec<_> = episodes.shown().map(codes).collect();
            assert_eq!(shown, [expected], "{added:?}");
        }
    }

    #[test]
    fn permanent_failure_is_the_root_whenever_it_comes() {
        let mut episodes = Episodes::default();
        add(&mut episodes, Rank::Own, "a");
        let permanent = failure("b", FailureOrigin::Permanent);
        episodes.add(Now::default(), Rank::WhileStopping, &permanent, None);
        assert_eq!(episodes.root(), Some(&permanent));
    }

    #[test]
    fn closed_episode_takes_no_further_failure() {
        let mut episodes = Episodes::default();
        add(&mut episodes, Rank::LostPeer, "a");
        episodes.close();
        assert_eq!(episodes.root(), None);
        add(&mut episodes, Rank::Own, "b");
        let shown: Vec<_> = episodes.shown().map(codes).collect();
        assert_eq!(shown, [["b"], ["a"]]);
    }

    #[test]
    fn episodes_and_consequences_are_bounded_and_the_root_is_kept() {
        let mut episodes = Episodes::default();
        for _ in 0..40 {
            add(&mut episodes, Rank::LostPeer, "lost");
        }
        add(&mut episodes, Rank::Own, "cause");
        let shown = episodes.shown().next().expect("an episode");
        assert_eq!(shown.root.failure.code, "cause");
        assert_eq!((shown.consequences.len(), shown.consequence_count()), (16, 40));
        for _ in 0..40 {
            episodes.close();
            add(&mut episodes, Rank::Own, "again");
        }
        assert_eq!(episodes.shown().count(), 16);
    }
}
