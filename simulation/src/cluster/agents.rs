//! The agents' processes: their brains, and the shell around each.

use super::{
    Defect,
    hosts::HostEvent,
    network::{Call, Caller, Message, Request},
    world::{Event, World},
};
use weir_base::{ContainerId, Machine, Monotonic};
use weir_node_agent_brain::{
    DownloadFailure, DownloadProblem, Effect, Input, LaunchFailure, NodeAgent, Recovered,
    RecoveredContainer, RecoveredState, Settings, Ticket,
};
use weir_protocol::cluster::{LaunchContainer, exit_status};
use weir_resource_manager_brain::{Error, Reply};

/// Something that happens to an agent.
#[derive(Debug)]
pub(crate) enum AgentEvent {
    Start {
        host: usize,
    },
    /// One of them crashes.
    Crash,
    /// A deadline may have passed.
    Wake {
        host: usize,
        start: u64,
    },
    /// Its shell tells it something.
    Told {
        host: usize,
        start: u64,
        input: Box<Input>,
    },
    /// Its shell has started a process.
    Launched {
        host: usize,
        start: u64,
        launch: Box<LaunchContainer>,
    },
}

/// An agent that runs.
pub(crate) struct AgentProcess {
    pub(crate) brain: NodeAgent,
    start: u64,
    wake_at: Option<Monotonic>,
    /// App masters that wait, by ticket.
    callers: Vec<(Ticket, Call, ContainerId)>,
    tickets: u64,
}

/// Numbers of registrations, apart from those of heartbeats.
const REGISTRATIONS: u64 = 1 << 40;

impl World {
    pub(crate) fn handle_agent(&mut self, event: AgentEvent) {
        match event {
            AgentEvent::Start { host } => self.start_agent(host),
            AgentEvent::Crash => self.crash_agent(),
            AgentEvent::Wake { host, start } => self.wake_agent(host, start),
            AgentEvent::Told { host, start, input } => {
                if self.is_agent(host, start) {
                    self.tell_agent(host, *input);
                }
            }
            AgentEvent::Launched { host, start, launch } => {
                if self.is_agent(host, start) {
                    self.process_starts(host, &launch);
                    let input = Input::Launched { container: launch.container, result: Ok(()) };
                    self.tell_agent(host, input);
                }
            }
        }
    }

    fn is_agent(&self, host: usize, start: u64) -> bool {
        self.hosts[host].agent.as_ref().is_some_and(|agent| agent.start == start)
    }

    fn start_agent(&mut self, host: usize) {
        let there = &mut self.hosts[host];
        if there.agent.is_some() {
            return;
        }
        there.starts += 1;
        let start = there.starts;
        let mut settings = Settings::new(there.node.clone(), there.total, start);
        settings.log_retention = std::time::Duration::from_secs(3600);
        let containers = there.folders.iter().map(|(&container, folder)| RecoveredContainer {
            container,
            resources: folder.resources,
            state: folder.exit.clone().map_or(RecoveredState::Running, RecoveredState::Exited),
        });
        let mut recovered = Recovered {
            containers: containers.collect(),
            cached: Vec::new(),
            logs: there.logs.iter().copied().collect(),
        };
        if self.defect == Some(Defect::DiskIgnored) {
            recovered = Recovered::default();
        }
        there.agent = Some(AgentProcess {
            brain: NodeAgent::new(settings),
            start,
            wake_at: None,
            callers: Vec::new(),
            tickets: 0,
        });
        let is_unhealthy = there.is_unhealthy;
        self.counts.agent_starts += 1;
        self.note(format_args!("agent {host} starts for the {start}. time"));
        self.tell_agent(host, Input::Recovered(recovered));
        let unhealthy = is_unhealthy.then(|| "its disk is full".to_owned());
        self.tell_agent(host, Input::Checked { unhealthy });
    }

    fn crash_agent(&mut self) {
        if self.is_quiet {
            return;
        }
        self.plan_fault(self.faults.agent_crash_every_ms, Event::Agent(AgentEvent::Crash));
        let host = self.rng.below(self.hosts.len() as u64) as usize;
        self.note(format_args!("agent {host} crashes"));
        self.agent_dies(host, self.faults.agent_away_ms);
    }

    /// An agent is down for a while; its processes continue to run.
    pub(crate) fn agent_dies(&mut self, host: usize, away_ms: u64) {
        self.hosts[host].agent = None;
        self.oracle.node_was_away(&self.hosts[host].node);
        let in_ms = 1 + self.delay(away_ms);
        self.queue.push(self.now_ms + in_ms, Event::Agent(AgentEvent::Start { host }));
    }

    fn wake_agent(&mut self, host: usize, start: u64) {
        if !self.is_agent(host, start) {
            return;
        }
        let now = self.now();
        let Some(agent) = &mut self.hosts[host].agent else { return };
        agent.wake_at = None;
        let mut out = Vec::new();
        if agent.brain.next_deadline().is_some_and(|at| at <= now.monotonic) {
            agent.brain.tick(now, &mut out);
        }
        self.agent_has_acted(host, out);
    }

    pub(crate) fn tell_agent(&mut self, host: usize, input: Input) {
        let now = self.now();
        let Some(agent) = &mut self.hosts[host].agent else { return };
        let mut out = Vec::new();
        agent.brain.step(now, input, &mut out);
        self.agent_has_acted(host, out);
    }

    /// An app master wants a container started.
    pub(crate) fn agent_is_asked(&mut self, host: usize, call: Call, start: LaunchContainer) {
        let Some(agent) = &mut self.hosts[host].agent else { return };
        agent.tickets += 1;
        let ticket = Ticket(agent.tickets);
        agent.callers.push((ticket, call, start.container));
        if self.defect == Some(Defect::LaunchedAgain) {
            self.launch(host, start.clone());
        }
        self.tell_agent(host, Input::Start { ticket, start });
    }

    pub(crate) fn agent_is_answered(
        &mut self,
        host: usize,
        start: u64,
        number: u64,
        reply: Result<Reply, Error>,
    ) {
        if !self.is_agent(host, start) {
            return;
        }
        let input = match reply {
            Ok(Reply::NodeRegistered(answer)) => {
                Input::Registered { registration: number - REGISTRATIONS, result: Ok(answer) }
            }
            Ok(Reply::NodeOrders(orders)) => {
                Input::Answered { sequence: number, result: Ok(orders) }
            }
            Err(error) if number >= REGISTRATIONS => Input::Registered {
                registration: number - REGISTRATIONS,
                result: Err(error.to_string()),
            },
            Err(error) => Input::Answered { sequence: number, result: Err(error.to_string()) },
            Ok(other) => return self.oracle.broken(format!("an agent is answered {other:?}")),
        };
        self.tell_agent(host, input);
    }

    fn agent_has_acted(&mut self, host: usize, effects: Vec<Effect>) {
        if let Some(agent) = &self.hosts[host].agent {
            agent.brain.check_invariants();
        }
        for effect in effects {
            self.perform(host, effect);
        }
        self.plan_agent_wake(host);
    }

    fn perform(&mut self, host: usize, effect: Effect) {
        let Some(start) = self.hosts[host].agent.as_ref().map(|agent| agent.start) else { return };
        let caller = Caller::Agent { host, start };
        match effect {
            Effect::SendRegister { registration, register } => {
                let call = Call { caller, number: REGISTRATIONS + registration };
                let request = Request::RegisterNode(register);
                self.ask_manager(call, request);
            }
            Effect::SendHeartbeat(heartbeat) => {
                let call = Call { caller, number: heartbeat.sequence };
                let request = Request::Heartbeat(heartbeat);
                self.ask_manager(call, request);
            }
            Effect::Download { hash, size_bytes } => {
                let fails = self.strikes(self.faults.download_fails_percent);
                let failure = DownloadFailure {
                    problem: DownloadProblem::Transient,
                    message: "simulated".to_owned(),
                };
                let result = if fails { Err(failure) } else { Ok(size_bytes) };
                self.agent_hears(host, start, 200, Input::Downloaded { hash, result });
            }
            Effect::Launch(launch) => self.launch(host, launch),
            Effect::Signal { container, signal } => {
                let in_ms = 1 + self.delay(50);
                let event = HostEvent::Signalled { host, container, signal };
                self.queue.push(self.now_ms + in_ms, Event::Host(event));
            }
            Effect::RemoveFolder(container) => {
                if self.hosts[host].processes.contains_key(&container) {
                    self.oracle.broken(format!("the folder of {container} goes while it runs"));
                }
                self.hosts[host].folders.remove(&container);
            }
            Effect::RemoveLogs(application) => {
                self.hosts[host].logs.remove(&application);
            }
            Effect::DeleteCached(_) => {}
            Effect::Reply { ticket, reply } => self.agent_answers(host, ticket, reply),
            Effect::End { reason } => {
                self.note(format_args!("agent {host} ends: {reason}"));
                self.agent_dies(host, 1000);
            }
        }
    }

    fn launch(&mut self, host: usize, launch: LaunchContainer) {
        let Some(start) = self.hosts[host].agent.as_ref().map(|agent| agent.start) else { return };
        if self.strikes(self.faults.launch_fails_percent) {
            let failure = LaunchFailure {
                exit_status: exit_status::DISKS_FAILED,
                message: "simulated".to_owned(),
            };
            let container = launch.container;
            let input = Input::Launched { container, result: Err(failure) };
            return self.agent_hears(host, start, 50, input);
        }
        let in_ms = 1 + self.delay(100);
        let event = AgentEvent::Launched { host, start, launch: Box::new(launch) };
        self.queue.push(self.now_ms + in_ms, Event::Agent(event));
    }

    fn agent_hears(&mut self, host: usize, start: u64, within_ms: u64, input: Input) {
        let in_ms = 1 + self.delay(within_ms);
        let event = AgentEvent::Told { host, start, input: Box::new(input) };
        self.queue.push(self.now_ms + in_ms, Event::Agent(event));
    }

    fn agent_answers(&mut self, host: usize, ticket: Ticket, reply: weir_node_agent_brain::Reply) {
        let Some(agent) = &mut self.hosts[host].agent else { return };
        let waiting = agent.callers.iter().position(|(one, ..)| *one == ticket);
        let Some(index) = waiting else {
            return self.oracle.broken(format!("agent {host} answers {ticket:?} twice"));
        };
        let (_, call, container) = agent.callers.swap_remove(index);
        self.send(Message::FromAgent { call, host, container, reply: Box::new(reply) });
    }

    fn plan_agent_wake(&mut self, host: usize) {
        let now_ms = self.now_ms;
        let Some(agent) = &mut self.hosts[host].agent else { return };
        let Some(at) = agent.brain.next_deadline() else { return };
        let at = at.max(Monotonic(now_ms));
        if agent.wake_at.is_none_or(|planned| at < planned) {
            agent.wake_at = Some(at);
            let event = AgentEvent::Wake { host, start: agent.start };
            self.queue.push(at.0, Event::Agent(event));
        }
    }
}
