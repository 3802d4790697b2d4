//! The world of a run: virtual time, everything that exists, and what happens next.

use super::{
    Counts, Defect, Options, Report,
    agents::AgentEvent,
    clients::Client,
    faults::Faults,
    hosts::{Host, HostEvent},
    manager::{ManagerEvent, ManagerProcess},
    master::Master,
    network::Message,
    oracle::Oracle,
    plan::RunPlan,
    store::Store,
    waits::Stillness,
};
use crate::{faults::between, queue::Queue, trace::Trace};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};
use weir_base::{ContainerId, Monotonic, Now, SeededRng, WallTime};

/// How long applications may take to end when faults have ceased.
const PATIENCE_MS: u64 = 900_000;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    Arrives(Message),
    Manager(ManagerEvent),
    Agent(AgentEvent),
    Host(HostEvent),
    /// An app master looks at what it has to do.
    MasterActs(ContainerId),
    /// A client does.
    ClientActs(usize),
    /// Faults cease.
    Quiet,
    /// Whether everything is over is looked at.
    Look,
}

/// All there is.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) defect: Option<Defect>,
    pub(crate) now_ms: u64,
    pub(crate) rng: SeededRng,
    pub(crate) faults: Faults,
    pub(crate) is_quiet: bool,
    is_over: bool,
    pub(crate) plan: RunPlan,
    pub(crate) queue: Queue<Event>,
    pub(crate) manager: ManagerProcess,
    pub(crate) store: Store,
    pub(crate) hosts: Vec<Host>,
    pub(crate) masters: BTreeMap<ContainerId, Master>,
    pub(crate) clients: Vec<Client>,
    pub(crate) oracle: Oracle,
    pub(crate) stillness: Stillness,
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut rng = SeededRng::new(seed);
        let faults = Faults::draw(&mut rng);
        let plan = RunPlan::draw(&mut rng);
        Self {
            seed,
            defect: options.defect,
            now_ms: 0,
            rng,
            faults,
            is_quiet: false,
            is_over: false,
            queue: Queue::new(),
            manager: ManagerProcess::default(),
            store: Store::default(),
            hosts: plan.hosts.iter().map(Host::new).collect(),
            masters: BTreeMap::new(),
            clients: plan.applications.iter().map(|_| Client::default()).collect(),
            plan,
            oracle: Oracle::default(),
            stillness: Stillness::default(),
            trace: Trace::new(options.keep_lines),
            counts: Counts::default(),
        }
    }

    /// Lets everything happen until all applications have ended and nothing is left. A brain that
    /// finds an invariant broken panics, and has broken a rule.
    pub(crate) fn run(mut self) -> Report {
        let ran = catch_unwind(AssertUnwindSafe(|| self.run_to_end()));
        if let Err(panic) = ran {
            let words = panic.downcast_ref::<String>().cloned();
            let words =
                words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            self.oracle.broken(words.unwrap_or_else(|| "a panic".to_owned()));
        }
        let violation = self.oracle.violation().cloned();
        let (trace, lines) = self.trace.take();
        Report { seed: self.seed, trace, lines, counts: self.counts, violation }
    }

    fn run_to_end(&mut self) {
        self.trace.add(0, format_args!("{:?}", self.faults));
        self.trace.add(0, format_args!("{:?}", self.plan));
        self.plan_beginning();
        while self.oracle.violation().is_none() && !self.is_over {
            let Some((at_ms, event)) = self.queue.pop() else { break };
            self.now_ms = at_ms;
            if at_ms > self.plan.quiet_at_ms + PATIENCE_MS {
                let what = self.what_is_left().unwrap_or_default();
                self.oracle.broken(format!("this is left long after faults ceased: {what}"));
                break;
            }
            self.counts.events += 1;
            self.handle(event);
        }
        self.judge_end();
    }

    fn plan_beginning(&mut self) {
        self.queue.push(self.plan.quiet_at_ms, Event::Quiet);
        self.queue.push(0, Event::Manager(ManagerEvent::Start));
        for host in 0..self.hosts.len() {
            let at_ms = self.plan.hosts[host].from_ms;
            self.queue.push(at_ms, Event::Agent(AgentEvent::Start { host }));
        }
        for client in 0..self.clients.len() {
            let at_ms = self.plan.applications[client].submit_at_ms;
            self.queue.push(at_ms, Event::ClientActs(client));
        }
        let faults = self.faults;
        self.plan_fault(faults.manager_crash_every_ms, Event::Manager(ManagerEvent::Crash));
        self.plan_fault(faults.agent_crash_every_ms, Event::Agent(AgentEvent::Crash));
        self.plan_fault(faults.host_dies_every_ms, Event::Host(HostEvent::Dies));
        self.plan_fault(faults.cut_every_ms, Event::Host(HostEvent::IsCut));
        self.plan_fault(faults.process_crash_every_ms, Event::Host(HostEvent::ProcessCrashes));
        self.plan_fault(faults.health_changes_every_ms, Event::Host(HostEvent::HealthChanges));
    }

    /// Plans a fault that comes again and again.
    pub(crate) fn plan_fault(&mut self, every_ms: u64, event: Event) {
        if every_ms > 0 {
            let in_ms = 1 + self.delay(2 * every_ms);
            self.queue.push(self.now_ms + in_ms, event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrives(message) => self.arrives(message),
            Event::Manager(event) => self.handle_manager(event),
            Event::Agent(event) => self.handle_agent(event),
            Event::Host(event) => self.handle_host(event),
            Event::MasterActs(container) => self.master_acts(container),
            Event::ClientActs(client) => self.client_acts(client),
            Event::Quiet => {
                self.note(format_args!("quiet"));
                self.faults = self.faults.quiet();
                self.is_quiet = true;
                self.heal_hosts();
                self.queue.push(self.now_ms + 1000, Event::Look);
            }
            Event::Look => {
                self.is_over = self.what_is_left().is_none();
                self.queue.push(self.now_ms + 1000, Event::Look);
            }
        }
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.add(self.now_ms, what);
    }

    /// A random delay of at most this number of milliseconds.
    pub(crate) fn delay(&mut self, longest_ms: u64) -> u64 {
        between(&mut self.rng, 0, longest_ms)
    }

    /// Returns true with the given probability, in per cent.
    pub(crate) fn strikes(&mut self, percent: u64) -> bool {
        percent > 0 && self.rng.percent(percent)
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms), wall: WallTime(1_700_000_000_000 + self.now_ms) }
    }
}
