//! Tasks that lost their connection to a task of another task host.
//!
//! When a task host dies, its neighbours report at once that their connections are lost. How it died is
//! reported later, by its task manager or the resource manager. So while a lost peer is not known to have
//! stopped, its end is a known-missing cause: the job waits for it, at most [`CAUSE_WAIT`].

use super::{JobMaster, Phase, State, episode::Rank};
use crate::messages::Effect;
use std::time::Duration;
use weir_base::{ExecutionAttempt, Failure, Monotonic, Now};
use weir_graph::TaskId;

/// How long the cause of a lost connection is waited for. The gateway must report the loss of a task host
/// sooner than this, if need be without a reason.
pub const CAUSE_WAIT: Duration = Duration::from_millis(2_100);

/// Connections were lost, and what has happened to the peers is not known yet.
#[derive(Clone, Debug)]
pub(super) struct AwaitedCause {
    /// When the job acts without knowing it.
    deadline: Monotonic,
    /// The loss that the job then reacts to: the first one.
    first: Failure,
    peers: Vec<(TaskId, ExecutionAttempt)>,
}

impl JobMaster {
    /// A task has failed because a peer is out of its reach.
    pub(super) fn peer_lost(
        &mut self,
        now: Now,
        id: TaskId,
        peer: (TaskId, ExecutionAttempt),
        failure: Failure,
    ) {
        self.tasks.set(id, State::Failed, now.wall);
        let failure = self.blame(failure, id);
        let name = self.tasks.get(peer.0).map(|_| self.display_name(peer.0));
        self.failover.episodes.add(now, Rank::LostPeer, &failure, name);
        if matches!(self.phase, Phase::Live) {
            let deadline = now.monotonic.after(CAUSE_WAIT);
            let begun = || AwaitedCause { deadline, first: failure, peers: Vec::new() };
            self.awaited_cause.get_or_insert_with(begun).peers.push(peer);
        }
    }

    /// When the job acts on a lost connection although the cause is not known.
    pub(super) fn gives_up_cause_at(&self) -> Option<Monotonic> {
        self.awaited_cause.as_ref().map(|awaited| awaited.deadline)
    }

    /// Acts on a lost connection when its cause does not come, or when there is none to wait for because
    /// every lost peer has stopped.
    pub(super) fn give_up_cause(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(awaited) = &self.awaited_cause else { return };
        let is_missing =
            |(task, attempt): &(TaskId, ExecutionAttempt)| self.tasks.is_live(*task, *attempt);
        if awaited.deadline <= now.monotonic || !awaited.peers.iter().any(is_missing) {
            let first = awaited.first.clone();
            self.act_on(now, first, out);
        }
    }

    /// How a failure of this task ranks, before it is noted that the task has stopped.
    pub(super) fn rank_of(&self, id: TaskId) -> Rank {
        match self.tasks.get(id) {
            Some(task) if task.state == State::Canceling => Rank::WhileStopping,
            _ => Rank::Own,
        }
    }
}
