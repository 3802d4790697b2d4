//! The rules that no run may break.
//!
//! - Readers of the output see each record exactly once and in order, and all of them when the
//!   job has finished.
//! - No checkpoint is announced or restored unless it is in the log; the master of the newest
//!   epoch restores the newest one.
//! - Checkpoint ids and execution attempts are never used twice.
//! - A master that met the record of a newer one deploys, triggers, announces and writes nothing.
//! - A master that has deployed tasks gives way only to a newer one.
//! - A master does not ask to be woken for what is past.
//! - When faults have ceased, the job ends as it was meant to.

use std::collections::{BTreeMap, BTreeSet};
use weir_base::{CheckpointId, ExecutionAttempt};
use weir_coordination::Effect;
use weir_graph::TaskId;
use weir_protocol::task::TaskCommand;

/// Watches what masters ask for.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    attempts: BTreeSet<(TaskId, ExecutionAttempt)>,
    /// Tasks, by master, that were ordered to begin a checkpoint.
    triggers: BTreeMap<CheckpointId, usize>,
    triggered_tasks: BTreeSet<(CheckpointId, TaskId)>,
    violation: Option<String>,
}

/// Data about the acting master and the log at that moment.
pub(crate) struct Scene {
    pub(crate) master: usize,
    /// It met the record of a newer master.
    pub(crate) superseded: bool,
    /// The log has no newer master.
    pub(crate) leads: bool,
    pub(crate) last_completed: Option<CheckpointId>,
}

impl Oracle {
    /// Notes that a rule was broken; the first one counts.
    pub(crate) fn broken(&mut self, rule: String) {
        self.violation.get_or_insert(rule);
    }

    /// The first rule that was broken.
    pub(crate) fn violation(&self) -> Option<&String> {
        self.violation.as_ref()
    }

    /// Judges one effect of a master.
    pub(crate) fn judge(
        &mut self,
        scene: &Scene,
        effect: &Effect,
        is_on_record: impl Fn(CheckpointId) -> bool,
    ) {
        if scene.superseded && is_leading(effect) {
            self.broken(format!("superseded master {} goes on: {effect:?}", scene.master));
        }
        match effect {
            Effect::Deploy(deployment) => {
                if !self.attempts.insert((deployment.task, deployment.attempt)) {
                    self.broken(format!(
                        "attempt {} of task {} is used twice",
                        deployment.attempt, deployment.task
                    ));
                }
                let restored = deployment.restore.as_ref().map(|restore| restore.checkpoint);
                if scene.leads && restored != scene.last_completed {
                    self.broken(format!(
                        "task {} restores {restored:?} where {:?} is the newest",
                        deployment.task, scene.last_completed
                    ));
                }
            }
            Effect::Command {
                task, command: TaskCommand::TriggerCheckpoint(checkpoint), ..
            } => {
                let master = *self.triggers.entry(*checkpoint).or_insert(scene.master);
                let repeated = !self.triggered_tasks.insert((*checkpoint, *task));
                if master != scene.master || repeated {
                    self.broken(format!("checkpoint id {checkpoint} is used twice"));
                }
            }
            Effect::Command { command: TaskCommand::CheckpointCompleted(checkpoint), .. }
                if !is_on_record(*checkpoint) =>
            {
                self.broken(format!("checkpoint {checkpoint} is announced without a record"));
            }
            _ => {}
        }
    }
}

/// Actions that only the master of the job may take.
fn is_leading(effect: &Effect) -> bool {
    use TaskCommand::{CheckpointCompleted, Finish, TriggerCheckpoint};
    match effect {
        Effect::AppendLog { .. } | Effect::Deploy(_) => true,
        Effect::Command { command, .. } => {
            matches!(command, TriggerCheckpoint(_) | CheckpointCompleted(_) | Finish)
        }
        _ => false,
    }
}
