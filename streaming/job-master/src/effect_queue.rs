//! The effects that the shell has not performed yet, in the order the brain gave them.
//!
//! A deployment of many tasks takes long, so the brain also gets mail between two of them. Then it may
//! cancel or abandon a task whose deployment still waits here. Such a deployment is left out.

use std::collections::{BTreeSet, VecDeque};
use weir_base::{ExecutionAttempt, Now};
use weir_coordination::Effect;
use weir_graph::TaskId;
use weir_protocol::task::TaskCommand;

type Deployed = (TaskId, ExecutionAttempt);

#[derive(Default)]
pub(crate) struct EffectQueue {
    /// Effects with the time of the step that returned them.
    effects: VecDeque<(Now, Effect)>,
    /// Tasks whose deployment is in `effects` and is to be performed.
    to_deploy: BTreeSet<Deployed>,
}

impl EffectQueue {
    /// Takes the effects of a step. Returns the tasks that were cancelled before they were deployed.
    pub fn extend(&mut self, now: Now, given: impl Iterator<Item = Effect>) -> Vec<Deployed> {
        let mut cancelled = Vec::new();
        for effect in given {
            match &effect {
                Effect::Deploy(deployment) => {
                    self.to_deploy.insert((deployment.task, deployment.attempt));
                }
                Effect::Command { task, attempt, command: TaskCommand::Cancel }
                    if self.to_deploy.remove(&(*task, *attempt)) =>
                {
                    cancelled.push((*task, *attempt));
                    continue;
                }
                Effect::Command { task, attempt, command: TaskCommand::Abandon }
                    if self.to_deploy.remove(&(*task, *attempt)) =>
                {
                    continue;
                }
                _ => {}
            }
            self.effects.push_back((now, effect));
        }
        cancelled
    }

    /// The next effect to perform.
    pub fn pop(&mut self) -> Option<(Now, Effect)> {
        loop {
            let (now, effect) = self.effects.pop_front()?;
            match &effect {
                Effect::Deploy(deployment)
                    if !self.to_deploy.remove(&(deployment.task, deployment.attempt)) => {}
                _ => return Some((now, effect)),
            }
        }
    }

    /// Whether the next effect is a deployment.
    pub fn deploys_next(&self) -> bool {
        matches!(self.effects.front(), Some((_, Effect::Deploy(_))))
    }
}
