//! Orders of the resource manager, and applications that have ended.

use super::{Ending, NodeAgent};
use crate::container::{Container, LifeCycle};
use crate::heartbeat::AnswerContent;
use crate::messages::{Effect, Exit};
use std::time::Duration;
use weir_base::{ApplicationId, ContainerId, Monotonic, Resources};
use weir_protocol::cluster::{KillContainer, LaunchContainer, NodeAction, NodeOrders, exit_status};

/// How long the deletion of expired logs waits for a container that still runs.
const LOGS_STILL_USED: Duration = Duration::from_secs(10);

impl NodeAgent {
    /// Handles the answer to a heartbeat. Only the awaited answer counts: the orders in an older one may
    /// have been carried out and forgotten.
    pub(super) fn answered(
        &mut self,
        now: Monotonic,
        sequence: u64,
        orders: NodeOrders,
        out: &mut Vec<Effect>,
    ) {
        if sequence != orders.sequence || !self.session.awaits(sequence) {
            return;
        }
        match orders.action {
            // A newer resource manager may send an action that this release does not know. It is ignored; the other
            // orders in the answer are carried out.
            NodeAction::Normal | NodeAction::Unknown => {
                let content = self.carry_out(now, orders, out);
                self.session.carried_out(now, content);
            }
            NodeAction::Resync => self.session.join(now),
            NodeAction::Shutdown => self.shut_down(now, out),
        }
    }

    fn carry_out(
        &mut self,
        now: Monotonic,
        orders: NodeOrders,
        out: &mut Vec<Effect>,
    ) -> AnswerContent {
        let mut is_new = false;
        for id in orders.forget {
            is_new |= self.forget(id);
        }
        for launch in orders.launch {
            is_new |= self.launch_for_resource_manager(launch, out);
        }
        for KillContainer { container: id, exit_status } in orders.kill {
            is_new |= self.report_again(id);
            is_new |= self.kill_or_bar(now, id, (Resources::default(), exit_status), out);
        }
        for application in orders.ended {
            is_new |= self.application_ended(now, application, out);
        }
        if is_new { AnswerContent::News } else { AnswerContent::Nothing }
    }

    fn launch_for_resource_manager(
        &mut self,
        launch: LaunchContainer,
        out: &mut Vec<Effect>,
    ) -> bool {
        let id = launch.container;
        if self.containers.contains_key(&id) {
            return false;
        }
        if self.ended.contains_key(&id.attempt.application) {
            let mut barred = Container::new(id, launch.resources);
            barred.enter(LifeCycle::Exited);
            barred.exit = Some(Exit {
                exit_status: exit_status::KILLED_AFTER_APPLICATION,
                diagnostics: "not started: its application has ended".to_owned(),
            });
            self.containers.insert(id, barred);
            return true;
        }
        self.start(launch, out);
        true
    }

    fn forget(&mut self, id: ContainerId) -> bool {
        let Some(container) = self.containers.get_mut(&id) else { return false };
        if container.state != LifeCycle::Exited {
            return false;
        }
        container.enter(LifeCycle::Done);
        if self.ended.contains_key(&id.attempt.application) {
            self.containers.remove(&id);
        }
        true
    }

    /// Reports a forgotten container again that is to be killed: the resource manager was restarted and waits
    /// for its end.
    fn report_again(&mut self, id: ContainerId) -> bool {
        let forgotten = self.containers.get_mut(&id).filter(|one| one.state == LifeCycle::Done);
        let Some(container) = forgotten else { return false };
        container.enter(LifeCycle::Exited);
        true
    }

    fn application_ended(
        &mut self,
        now: Monotonic,
        application: ApplicationId,
        out: &mut Vec<Effect>,
    ) -> bool {
        if self.ended.contains_key(&application) {
            return false;
        }
        self.ended.insert(application, now.after(self.settings.log_retention));
        let of_it =
            self.containers.values().filter(|one| one.id.attempt.application == application);
        let states: Vec<_> = of_it.map(|one| (one.id, one.state)).collect();
        for (id, state) in states {
            match state {
                LifeCycle::Done => {
                    self.containers.remove(&id);
                    out.push(Effect::RemoveFolder(id));
                }
                LifeCycle::Exited => out.push(Effect::RemoveFolder(id)),
                _ => {
                    let after_end = exit_status::KILLED_AFTER_APPLICATION;
                    self.kill_or_bar(now, id, (Resources::default(), after_end), out);
                }
            }
        }
        true
    }

    /// Deletes the logs of applications whose retention time is over.
    pub(super) fn drop_old_logs(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let due = self.ended.iter().filter(|(_, until)| **until <= now);
        let due: Vec<ApplicationId> = due.map(|(&application, _)| application).collect();
        for application in due {
            let of_it = |one: &Container| one.id.attempt.application == application;
            if self.containers.values().any(of_it) {
                self.ended.insert(application, now.after(LOGS_STILL_USED));
                continue;
            }
            self.ended.remove(&application);
            out.push(Effect::RemoveLogs(application));
        }
    }

    fn shut_down(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        self.session.end();
        self.ending = Ending::Waiting("the resource manager told this agent to end".to_owned());
        let live: Vec<_> =
            self.containers.values().filter(|one| one.state.is_live()).map(|one| one.id).collect();
        for id in live {
            let ordered = exit_status::KILLED_BY_RESOURCE_MANAGER;
            self.kill_or_bar(now, id, (Resources::default(), ordered), out);
        }
    }
}
