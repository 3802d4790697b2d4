//! The brain itself: its settings, its state, and which part takes which input.

mod containers;
mod orders;
mod view;

pub use view::{ContainerView, NodeView};

use crate::backoff::Backoff;
use crate::cache::{AfterFailure, Cache, Fetched, Retry};
use crate::container::Container;
use crate::heartbeat::{HeartbeatSession, Send};
use crate::messages::{
    CachedFile, DownloadFailure, DownloadProblem, Effect, Exit, Input, Recovered, RecoveredState,
};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use weir_base::{
    ApplicationId, ArtifactHash, ContainerId, Machine, Monotonic, NodeId, Now, Resources, invariant,
};
use weir_protocol::cluster::{ContainerReport, NodeHeartbeat, RegisterNode, exit_status};

/// How a node agent behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Address at which the agent listens.
    pub node: NodeId,
    /// Resources that the node offers.
    pub total: Resources,
    /// Release of the agent.
    pub weir_version: String,
    /// Differs between starts of the agent.
    pub incarnation: u64,
    /// Time between SIGTERM and SIGKILL.
    pub kill_delay: Duration,
    /// Time between two SIGKILLs while some process of the container still runs.
    pub kill_again: Duration,
    /// Unused cached files are evicted while the cache is larger than this.
    pub cache_target_bytes: u64,
    /// Time for which logs are kept after their application has ended.
    pub log_retention: Duration,
    /// First wait before a failed request or download is repeated; it doubles each time.
    pub retry_min: Duration,
    /// Longest wait before a repetition.
    pub retry_max: Duration,
    /// Time without an answer after which a request counts as failed.
    pub answer_timeout: Duration,
    /// Attempts to download a file before its containers fail.
    pub download_tries: u32,
}

impl Settings {
    /// Settings of a node with the defaults of the configuration.
    pub fn new(node: NodeId, total: Resources, incarnation: u64) -> Self {
        Self {
            node,
            total,
            weir_version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation,
            kill_delay: Duration::from_millis(250),
            kill_again: Duration::from_secs(2),
            cache_target_bytes: 10 << 30,
            log_retention: Duration::from_secs(10_800),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(10),
            download_tries: 20,
        }
    }
}

/// The brain of a node agent. Its first input is [`Input::Recovered`].
#[derive(Clone, Debug)]
pub struct NodeAgent {
    settings: Settings,
    session: HeartbeatSession,
    containers: BTreeMap<ContainerId, Container>,
    cache: Cache,
    /// Applications that have ended, with the time at which their logs are deleted.
    ended: BTreeMap<ApplicationId, Monotonic>,
    unhealthy: Option<String>,
    /// A write has met a full disk since the cache was last checked.
    disk_was_full: bool,
    node_used_mib: u64,
    ending: Ending,
}

/// Shutdown state of the agent.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Ending {
    No,
    /// It ends for this reason when no container is left.
    Waiting(String),
    /// The shell has been ordered to end.
    Over,
}

impl NodeAgent {
    /// An agent that has not looked at its disk yet.
    pub fn new(settings: Settings) -> Self {
        let Settings { retry_min, retry_max, answer_timeout, .. } = settings;
        let backoff = Backoff { min: retry_min, max: retry_max };
        let session = HeartbeatSession::new(backoff, answer_timeout);
        Self {
            settings,
            session,
            containers: BTreeMap::new(),
            cache: Cache::default(),
            ended: BTreeMap::new(),
            unhealthy: None,
            disk_was_full: false,
            node_used_mib: 0,
            ending: Ending::No,
        }
    }

    fn recover(&mut self, now: Monotonic, recovered: Recovered) {
        for file in recovered.cached {
            self.cache.recover(file);
        }
        let with_containers: BTreeSet<ApplicationId> =
            recovered.containers.iter().map(|found| found.container.attempt.application).collect();
        for found in recovered.containers {
            let exit = match found.state {
                RecoveredState::Running => None,
                RecoveredState::Exited(exit) => Some(exit),
            };
            self.readopt(found.container, found.resources, exit);
        }
        // The folders of ended containers are deleted at once, their logs later.
        let ended = recovered.logs.into_iter().filter(|logs| !with_containers.contains(logs));
        let logs_until = now.after(self.settings.log_retention);
        self.ended.extend(ended.map(|application| (application, logs_until)));
        self.session.join(now);
    }

    fn downloaded(
        &mut self,
        now: Monotonic,
        hash: ArtifactHash,
        result: Result<u64, DownloadFailure>,
        out: &mut Vec<Effect>,
    ) {
        let failure = match result {
            Ok(_) => return self.fetched(hash, out),
            Err(failure) => failure,
        };
        let Settings { retry_min, retry_max, download_tries, .. } = self.settings;
        let retry = (failure.problem == DownloadProblem::Transient).then_some(Retry {
            tries: download_tries,
            now,
            backoff: Backoff { min: retry_min, max: retry_max },
        });
        let exit_status = match failure.problem {
            DownloadProblem::DiskFull => exit_status::DISKS_FAILED,
            DownloadProblem::Transient | DownloadProblem::Fatal => exit_status::INVALID,
        };
        self.disk_was_full |= failure.problem == DownloadProblem::DiskFull;
        if let AfterFailure::GivenUp { users, next } = self.cache.failed(hash, retry) {
            for container in users {
                let exit = Exit { exit_status, diagnostics: failure.message.clone() };
                self.finish(container, exit, out);
            }
            out.extend(
                next.map(|CachedFile { hash, size_bytes }| Effect::Download { hash, size_bytes }),
            );
        }
    }

    fn fetched(&mut self, hash: ArtifactHash, out: &mut Vec<Effect>) {
        let Fetched { users, mistaken, size_bytes } = self.cache.fetched(hash);
        for container in users {
            self.launch_when_ready(container, out);
        }
        for (container, said_bytes) in mistaken {
            let exit = text::other_size(&hash.to_string(), size_bytes, said_bytes);
            self.finish(container, exit, out);
        }
    }

    fn reports(&self) -> Vec<ContainerReport> {
        let known = self.containers.values();
        known.filter(|one| one.is_reported()).map(Container::report).collect()
    }

    fn send(&self, due: Send) -> Effect {
        let Settings { node, incarnation, total, weir_version, .. } = self.settings.clone();
        let containers = self.reports();
        match due {
            Send::Register(registration) => {
                let register = RegisterNode { node, total, weir_version, incarnation, containers };
                Effect::SendRegister { registration, register }
            }
            Send::Heartbeat { sequence, hold_ms } => Effect::SendHeartbeat(NodeHeartbeat {
                node,
                incarnation,
                sequence,
                hold_ms,
                containers,
                unhealthy: self.unhealthy.clone(),
                used_memory_mib: self.node_used_mib,
            }),
        }
    }

    /// Performs what is due, after every input and at every deadline.
    fn settle(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        for CachedFile { hash, size_bytes } in self.cache.due(now) {
            out.push(Effect::Download { hash, size_bytes });
        }
        self.kill_harder(now, out);
        self.drop_old_logs(now, out);
        // On a full disk, files without users are removed first.
        let lacks_room = std::mem::take(&mut self.disk_was_full) || self.unhealthy.is_some();
        let target_bytes = if lacks_room { 0 } else { self.settings.cache_target_bytes };
        let dropped = self.cache.evict(target_bytes);
        out.extend(dropped.into_iter().map(Effect::DeleteCached));
        if let Some(due) = self.session.due(now) {
            out.push(self.send(due));
        }
        self.end_when_empty(out);
    }

    fn end_when_empty(&mut self, out: &mut Vec<Effect>) {
        let is_empty = !self.containers.values().any(|one| one.state.is_live());
        if is_empty && let Ending::Waiting(reason) = &mut self.ending {
            out.push(Effect::End { reason: std::mem::take(reason) });
            self.ending = Ending::Over;
        }
    }
}

impl Machine for NodeAgent {
    type Input = Input;
    type Effect = Effect;

    fn step(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        let now = now.monotonic;
        match input {
            Input::Recovered(recovered) => self.recover(now, recovered),
            Input::Registered { registration, result: Ok(answer) } => {
                // The hold must leave room for several heartbeats before the node expires.
                let interval_ms = answer.heartbeat_interval_ms.min(answer.expiry_ms / 3);
                self.session.registered(now, registration, interval_ms);
            }
            Input::Registered { registration, result: Err(_) } => {
                self.session.registration_failed(now, registration);
            }
            Input::Answered { sequence, result: Ok(orders) } => {
                self.answered(now, sequence, orders, out);
            }
            Input::Answered { sequence, result: Err(_) } => {
                self.session.heartbeat_failed(now, sequence);
            }
            Input::Start { ticket, start } => {
                let reply = self.start_for_app_master(start, out);
                out.push(Effect::Reply { ticket, reply });
            }
            Input::Stop { ticket, container, resources } => {
                let reply = self.stop_for_app_master(now, container, resources, out);
                out.push(Effect::Reply { ticket, reply });
            }
            Input::Downloaded { hash, result } => self.downloaded(now, hash, result, out),
            Input::Launched { container, result } => self.launched(now, container, result, out),
            Input::Exited { container, exit } => self.finish(container, exit, out),
            Input::Measured { containers, node_used_mib } => {
                self.node_used_mib = node_used_mib;
                self.measured(now, containers, out);
            }
            Input::Checked { unhealthy } => {
                if self.unhealthy != unhealthy {
                    self.unhealthy = unhealthy;
                    self.session.has_news();
                }
            }
        }
        self.settle(now, out);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.settle(now.monotonic, out);
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        let kills = self.containers.values().filter_map(Container::kill_deadline);
        let logs = self.ended.values().copied();
        let others = [self.session.next_deadline(), self.cache.next_deadline()];
        kills.chain(logs).chain(others.into_iter().flatten()).min()
    }

    fn check_invariants(&self) {
        for (id, container) in &self.containers {
            invariant!(*id == container.id, "{id} is filed under another id");
            container.check();
            let waits = container.state == crate::LifeCycle::Localizing;
            invariant!(waits <= !self.cache.has_all_of(*id), "{id} waits for nothing");
        }
        let is_live = |id| self.containers.get(&id).is_some_and(|one| one.state.is_live());
        self.cache.check(is_live);
    }
}
