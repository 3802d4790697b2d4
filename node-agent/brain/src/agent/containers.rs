//! Life cycle of single containers: start, launch, kill, end.

use super::{Ending, NodeAgent};
use crate::cache::Acquired;
use crate::container::{Container, Kill, LifeCycle, Process};
use crate::messages::{
    CachedFile, ContainerMemory, Effect, Exit, LaunchFailure, Refusal, Reply, Signal,
};
use crate::{container::kill_reason, text};
use weir_base::{ContainerId, Monotonic, Resources};
use weir_protocol::cluster::{LaunchContainer, exit_status};

impl NodeAgent {
    /// Adopts a container that an earlier start of the agent launched.
    pub(super) fn readopt(&mut self, id: ContainerId, resources: Resources, exit: Option<Exit>) {
        let mut container = Container::new(id, resources);
        match exit {
            None => {
                container.enter(LifeCycle::Running);
                container.process = Process::Up;
            }
            Some(exit) => {
                container.enter(LifeCycle::Exited);
                container.exit = Some(exit);
            }
        }
        self.containers.insert(id, container);
    }

    /// Starts a container on behalf of an app master with a lease. Idempotent.
    pub(super) fn start_for_app_master(
        &mut self,
        start: LaunchContainer,
        out: &mut Vec<Effect>,
    ) -> Reply {
        let id = start.container;
        if let Some(known) = self.containers.get(&id) {
            return Reply::Started(known.report());
        }
        if self.ending != Ending::No {
            return Reply::Refused(Refusal::ShuttingDown);
        }
        if self.ended.contains_key(&id.attempt.application) {
            return Reply::Refused(Refusal::ApplicationEnded);
        }
        self.start(start, out);
        Reply::Started(self.containers[&id].report())
    }

    /// Stops a container on behalf of an app master with a lease. A container that has not started will not start.
    pub(super) fn stop_for_app_master(
        &mut self,
        now: Monotonic,
        id: ContainerId,
        resources: Resources,
        out: &mut Vec<Effect>,
    ) -> Reply {
        if !self.ended.contains_key(&id.attempt.application) {
            self.kill_or_bar(now, id, (resources, exit_status::KILLED_BY_APP_MASTER), out);
        }
        Reply::Stopped
    }

    /// Begins a container that is not known yet.
    pub(super) fn start(&mut self, start: LaunchContainer, out: &mut Vec<Effect>) {
        let LaunchContainer { container: id, resources, launch } = start;
        let artifacts = launch.artifacts.clone();
        let mut container = Container::new(id, resources);
        container.launch = Some(launch);
        self.containers.insert(id, container);
        for artifact in artifacts {
            let file = CachedFile { hash: artifact.hash, size_bytes: artifact.size_bytes };
            let CachedFile { hash, size_bytes } = file;
            match self.cache.acquire(id, file) {
                Acquired::Present | Acquired::Fetching => {}
                Acquired::Absent => out.push(Effect::Download { hash, size_bytes }),
                Acquired::Replaced => {
                    out.push(Effect::DeleteCached(hash));
                    out.push(Effect::Download { hash, size_bytes });
                }
                Acquired::OtherSize(known_bytes) => {
                    let exit = text::other_size(&artifact.name, known_bytes, size_bytes);
                    return self.finish(id, exit, out);
                }
            }
        }
        if !self.cache.has_all_of(id) {
            self.enter(id, LifeCycle::Localizing);
        }
        self.launch_when_ready(id, out);
    }

    /// Launches a container when all its files are present.
    pub(super) fn launch_when_ready(&mut self, id: ContainerId, out: &mut Vec<Effect>) {
        let ready = self.cache.has_all_of(id);
        let Some(container) = self.containers.get_mut(&id) else { return };
        if ready && matches!(container.state, LifeCycle::New | LifeCycle::Localizing) {
            container.enter(LifeCycle::Scheduled);
            container.process = Process::Starting;
            out.push(Effect::Launch(container.take_launch()));
        }
    }

    /// Result of a launch from the shell.
    pub(super) fn launched(
        &mut self,
        now: Monotonic,
        id: ContainerId,
        result: Result<(), LaunchFailure>,
        out: &mut Vec<Effect>,
    ) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        if container.process != Process::Starting {
            return;
        }
        if let Err(LaunchFailure { exit_status, message }) = result {
            self.disk_was_full |= exit_status == exit_status::DISKS_FAILED;
            return self.finish(id, Exit { exit_status, diagnostics: message }, out);
        }
        container.process = Process::Up;
        match &mut container.kill {
            None => {
                container.enter(LifeCycle::Running);
                self.session.has_news();
            }
            Some(kill) => {
                kill.deadline = Some(now.after(self.settings.kill_delay));
                out.push(Effect::Signal { container: id, signal: Signal::Term });
            }
        }
    }

    /// Kills a container; an unknown one is recorded, so that it cannot start later.
    pub(super) fn kill_or_bar(
        &mut self,
        now: Monotonic,
        id: ContainerId,
        (resources, exit_status): (Resources, i32),
        out: &mut Vec<Effect>,
    ) -> bool {
        self.containers.entry(id).or_insert_with(|| Container::new(id, resources));
        let diagnostics = kill_reason(exit_status).to_owned();
        self.kill(now, id, Exit { exit_status, diagnostics }, out)
    }

    /// Kills a container, unless it has ended or is being killed. Returns whether this was the first order.
    pub(super) fn kill(
        &mut self,
        now: Monotonic,
        id: ContainerId,
        exit: Exit,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(container) = self.containers.get_mut(&id) else { return false };
        if !container.state.is_live() || container.kill.is_some() {
            return false;
        }
        match container.process {
            Process::Absent => self.finish(id, exit, out),
            Process::Starting => {
                container.enter(LifeCycle::Killing);
                container.kill = Some(Kill { exit, deadline: None });
            }
            Process::Up => {
                container.enter(LifeCycle::Killing);
                let deadline = Some(now.after(self.settings.kill_delay));
                container.kill = Some(Kill { exit, deadline });
                out.push(Effect::Signal { container: id, signal: Signal::Term });
            }
        }
        true
    }

    /// Sends SIGKILL to containers that did not end after SIGTERM, and repeats it for those that still run.
    pub(super) fn kill_harder(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let again = now.after(self.settings.kill_again);
        for (&id, container) in &mut self.containers {
            if container.kill_deadline().is_some_and(|deadline| deadline <= now)
                && let Some(kill) = &mut container.kill
            {
                kill.deadline = Some(again);
                out.push(Effect::Signal { container: id, signal: Signal::Kill });
            }
        }
    }

    /// No process of the container runs any more.
    pub(super) fn finish(&mut self, id: ContainerId, exit: Exit, out: &mut Vec<Effect>) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        if !container.state.is_live() {
            return;
        }
        container.exit = Some(container.verdict(exit));
        container.enter(LifeCycle::Exited);
        container.process = Process::Absent;
        container.launch = None;
        container.used_bytes = 0;
        self.cache.release(id);
        self.session.has_news();
        if self.ended.contains_key(&id.attempt.application) {
            out.push(Effect::RemoveFolder(id));
        }
    }

    /// Kills containers whose memory is above their lease.
    pub(super) fn measured(
        &mut self,
        now: Monotonic,
        containers: Vec<ContainerMemory>,
        out: &mut Vec<Effect>,
    ) {
        for memory in containers {
            let Some(container) = self.containers.get_mut(&memory.container) else { continue };
            if container.process != Process::Up {
                continue;
            }
            container.used_bytes = memory.used_bytes;
            let leased_bytes = container.resources.memory_mib.saturating_mul(1 << 20);
            if memory.used_bytes > leased_bytes {
                let exit = Exit {
                    exit_status: exit_status::KILLED_EXCEEDING_MEMORY,
                    diagnostics: text::over_limit(&memory, container.resources),
                };
                self.kill(now, memory.container, exit, out);
            }
        }
    }

    fn enter(&mut self, id: ContainerId, state: LifeCycle) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.enter(state);
        }
    }
}

impl Container {
    /// Time of the next SIGKILL.
    pub(crate) fn kill_deadline(&self) -> Option<Monotonic> {
        let kill = self.kill.as_ref().filter(|_| self.state == LifeCycle::Killing);
        kill.and_then(|kill| kill.deadline)
    }

    /// Whether heartbeats report the container.
    pub(crate) fn is_reported(&self) -> bool {
        self.state != LifeCycle::Done
    }
}
