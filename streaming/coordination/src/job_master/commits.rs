//! How far sinks have come with what they commit, and the job that ends before they have.
//!
//! A sink commits its part when a checkpoint is recorded. When a job restarts, or continues under
//! another master, uncommitted output is committed at the restore. When it ends permanently, there is no restore that makes up
//! for it, and what sinks have prepared is cleared away: so its tasks run on until all have committed, for
//! at most the cancellation timeout. Where they cannot, the outcome says so.

use super::{Goal, JobMaster, Phase};
use crate::messages::Effect;
use weir_base::{CheckpointId, Now};

/// The checkpoints that sinks commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Commits {
    /// The newest that any sink may have committed.
    begun: Option<CheckpointId>,
    /// The newest that all have.
    done: Option<CheckpointId>,
}

impl Commits {
    /// Sinks are ordered to commit this checkpoint, commit it because they restore it, or may have committed it.
    pub(super) fn begin(&mut self, checkpoint: Option<CheckpointId>) {
        self.begun = self.begun.max(checkpoint);
    }

    /// The checkpoint that some may have committed and others not.
    pub(super) fn open(&self) -> Option<CheckpointId> {
        self.begun.filter(|_| self.begun > self.done)
    }
}

impl JobMaster {
    /// Notes when every sink has committed as ordered.
    pub(super) fn note_commits(&mut self) {
        let Some(open) = self.commits.open() else { return };
        if !self.graph_commits() || (!self.tasks.is_empty() && self.tasks.all_committed(open)) {
            self.commits.done = Some(open);
        }
    }

    fn graph_commits(&self) -> bool {
        let mut operators = self.graph.vertices.iter().flat_map(|vertex| &vertex.operators);
        operators.any(|operator| operator.node.commits)
    }

    /// Whether a commit must come before this, and can.
    pub(super) fn awaits_commit(&self, goal: &Goal) -> bool {
        matches!(goal, Goal::Fail(_) | Goal::Cancel)
            && self.commits.open().is_some_and(|id| self.tasks.can_commit(id))
    }

    /// Stops tasks when they have committed, cannot, or take too long.
    pub(super) fn end_commit(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Phase::Committing { goal, deadline } = &self.phase else { return };
        if *deadline > now.monotonic && self.awaits_commit(goal) {
            return;
        }
        let deadline = now.monotonic.after(self.settings.cancellation_timeout);
        self.phase = Phase::Stopping { goal: goal.clone(), deadline };
        self.cancel_tasks(now, out);
    }
}
