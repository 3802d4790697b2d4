//! Hosts: processes in containers, and a disk that outlives the agent.

use super::{
    agents::AgentProcess,
    oracle::Oracle,
    plan::HostPlan,
    world::{Event, World},
};
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{ApplicationId, ContainerId, NodeId, Resources};
use weir_node_agent_brain::{Exit, Input, Signal};
use weir_protocol::cluster::LaunchContainer;

/// Something that happens to a host.
#[derive(Debug)]
pub(crate) enum HostEvent {
    /// One of them dies with all its processes.
    Dies,
    /// One of them is cut off.
    IsCut,
    /// A process crashes somewhere.
    ProcessCrashes,
    /// A disk fills up somewhere, or is emptied.
    HealthChanges,
    /// A signal reaches a process.
    Signalled { host: usize, container: ContainerId, signal: Signal },
    /// A process has done its work.
    IsDone { host: usize, container: ContainerId },
}

/// A process in a container.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) resources: Resources,
    is_deaf: bool,
}

/// State of a container on disk.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub(crate) resources: Resources,
    pub(crate) exit: Option<Exit>,
}

pub(crate) struct Host {
    pub(crate) node: NodeId,
    pub(crate) total: Resources,
    pub(crate) agent: Option<AgentProcess>,
    /// Starts of its agent so far.
    pub(crate) starts: u64,
    pub(crate) processes: BTreeMap<ContainerId, Process>,
    pub(crate) folders: BTreeMap<ContainerId, Folder>,
    pub(crate) logs: BTreeSet<ApplicationId>,
    pub(crate) is_cut_until_ms: u64,
    pub(crate) is_unhealthy: bool,
}

impl Host {
    pub(crate) fn new(plan: &HostPlan) -> Self {
        Self {
            node: plan.node.clone(),
            total: plan.total,
            agent: None,
            starts: 0,
            processes: BTreeMap::new(),
            folders: BTreeMap::new(),
            logs: BTreeSet::new(),
            is_cut_until_ms: 0,
            is_unhealthy: false,
        }
    }

    /// Resources of processes that were started with a lease.
    fn used(&self, oracle: &Oracle) -> Resources {
        let with_lease = self.processes.iter().filter(|(id, _)| oracle.counts(**id));
        let all = with_lease.map(|(_, process)| process.resources);
        all.fold(Resources::default(), |sum, one| sum.checked_add(one).unwrap_or(sum))
    }
}

impl World {
    pub(crate) fn handle_host(&mut self, event: HostEvent) {
        match event {
            HostEvent::Signalled { host, container, signal } => {
                self.signalled(host, container, signal);
            }
            HostEvent::IsDone { host, container } => self.process_ends(host, container, 0),
            _ if self.is_quiet => {}
            HostEvent::Dies => self.host_dies(),
            HostEvent::IsCut => self.host_is_cut(),
            HostEvent::ProcessCrashes => self.process_crashes(),
            HostEvent::HealthChanges => self.health_changes(),
        }
    }

    /// A process begins in a container.
    pub(crate) fn process_starts(&mut self, host: usize, launch: &LaunchContainer) {
        let LaunchContainer { container, resources, .. } = *launch;
        self.counts.processes += 1;
        self.note(format_args!("host {host}: process of {container} starts"));
        self.oracle.process_starts(container);
        let is_deaf = self.strikes(self.faults.deaf_percent);
        let there = &mut self.hosts[host];
        there.processes.insert(container, Process { resources, is_deaf });
        there.folders.insert(container, Folder { resources, exit: None });
        there.logs.insert(container.attempt.application);
        let (used, total) = (there.used(&self.oracle), there.total);
        if !used.fits_in(total) {
            self.oracle.broken(format!("host {host} of {total} runs {used} with {container}"));
        }
        match launch.launch.command.as_slice() {
            [word, application] if word == "master" => {
                let application = application.parse().unwrap_or_default();
                self.master_starts(host, container, application);
            }
            [_, work_ms] => {
                if let Some(work_ms) = work_ms.parse::<u64>().ok().filter(|ms| *ms > 0) {
                    let event = HostEvent::IsDone { host, container };
                    self.queue.push(self.now_ms + work_ms, Event::Host(event));
                }
            }
            _ => {}
        }
    }

    /// Nothing of a container runs any more.
    pub(crate) fn process_ends(&mut self, host: usize, container: ContainerId, exit_status: i32) {
        if self.hosts[host].processes.remove(&container).is_none() {
            return;
        }
        self.note(format_args!("host {host}: process of {container} ends with {exit_status}"));
        let exit = Exit { exit_status, diagnostics: String::new() };
        if let Some(folder) = self.hosts[host].folders.get_mut(&container) {
            folder.exit = Some(exit.clone());
        }
        if let Some(master) = self.masters.remove(&container)
            && !self.plan.applications[master.application].leaves_orphans
        {
            self.workers_end(container);
        }
        self.tell_agent(host, Input::Exited { container, exit });
    }

    /// Processes that lose their app master end.
    fn workers_end(&mut self, master: ContainerId) {
        for host in 0..self.hosts.len() {
            let of_it = self.hosts[host].processes.keys();
            let of_it: Vec<_> =
                of_it.copied().filter(|one| one.attempt == master.attempt).collect();
            for container in of_it {
                self.process_ends(host, container, 1);
            }
        }
    }

    fn signalled(&mut self, host: usize, container: ContainerId, signal: Signal) {
        let Some(process) = self.hosts[host].processes.get(&container) else { return };
        match signal {
            Signal::Term if process.is_deaf => {}
            Signal::Term => self.process_ends(host, container, 143),
            Signal::Kill => self.process_ends(host, container, 137),
        }
    }

    fn any_host(&mut self) -> usize {
        self.rng.below(self.hosts.len() as u64) as usize
    }

    fn host_dies(&mut self) {
        self.plan_fault(self.faults.host_dies_every_ms, Event::Host(HostEvent::Dies));
        let host = self.any_host();
        self.note(format_args!("host {host} dies"));
        self.agent_dies(host, self.faults.host_away_ms);
        for container in self.hosts[host].processes.keys().copied().collect::<Vec<_>>() {
            self.process_ends(host, container, 137);
        }
    }

    fn host_is_cut(&mut self) {
        self.plan_fault(self.faults.cut_every_ms, Event::Host(HostEvent::IsCut));
        let host = self.any_host();
        let for_ms = self.delay(self.faults.host_away_ms);
        self.note(format_args!("host {host} is cut off for {for_ms} ms"));
        self.hosts[host].is_cut_until_ms = self.now_ms + for_ms;
    }

    fn process_crashes(&mut self) {
        let every_ms = self.faults.process_crash_every_ms;
        self.plan_fault(every_ms, Event::Host(HostEvent::ProcessCrashes));
        let all = self.hosts.iter().enumerate();
        let all = all.flat_map(|(host, one)| one.processes.keys().map(move |id| (host, *id)));
        let all: Vec<_> = all.collect();
        if !all.is_empty() {
            let (host, container) = all[self.rng.below(all.len() as u64) as usize];
            self.process_ends(host, container, 1);
        }
    }

    fn health_changes(&mut self) {
        let every_ms = self.faults.health_changes_every_ms;
        self.plan_fault(every_ms, Event::Host(HostEvent::HealthChanges));
        let host = self.any_host();
        self.set_health(host, !self.hosts[host].is_unhealthy);
    }

    fn set_health(&mut self, host: usize, is_unhealthy: bool) {
        self.hosts[host].is_unhealthy = is_unhealthy;
        let unhealthy = is_unhealthy.then(|| "its disk is full".to_owned());
        self.tell_agent(host, Input::Checked { unhealthy });
    }

    /// All hosts come back, reachable and healthy.
    pub(crate) fn heal_hosts(&mut self) {
        for host in 0..self.hosts.len() {
            self.hosts[host].is_cut_until_ms = 0;
            self.set_health(host, false);
        }
    }
}
