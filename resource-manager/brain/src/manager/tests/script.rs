//! Scripts: lines of `> input`, each followed by its effects.
//!
//! Containers are written `application.attempt.number`, with `e1/` in front for those of epoch 1;
//! `1.1.2=running` is how a node reports one, `1.1.2=complete:7` one that ended with 7. Nodes are
//! named by one letter; `node a` is a registration and the first heartbeat after it. `paused-until 9000`
//! simulates a suspended process. Facts are durable at once, until `> slow-store`.

use super::super::ResourceManager;
use crate::{
    Settings,
    messages::{ApplicationSpec, Effect, Fact, GrantedLease, Input, Reply, Ticket, Token},
};
use std::{collections::BTreeMap, time::Duration};
use weir_base::{
    ApplicationId, AttemptId, ContainerId, Machine, Monotonic, NodeId, Now, Resources, Share,
    WallTime,
};
use weir_protocol::cluster::{
    Allocate, Allocated, ArchivedAnswer, Ask, ContainerReport, ContainerState, FinalStatus,
    FinishAppMaster, LaunchContainer, LaunchContext, Lease, LeaveNode, NodeHeartbeat, NodeOrders,
    RegisterAppMaster, RegisterNode,
};

/// Runs a script with nodes `a` and `b` of 1000 MiB and 4 cores, and compares its whole output.
#[track_caller]
pub(super) fn check(script: &str) {
    Script::new().check(script);
}

pub(super) struct Script {
    pub(super) settings: Settings,
    pub(super) brain: ResourceManager,
    pub(super) facts: Vec<Fact>,
    /// Every order to launch an app master, in order.
    pub(super) launched: Vec<LaunchContainer>,
    epoch: u32,
    now_ms: u64,
    slow_store: bool,
    pub(super) kill_diagnostics: String,
    under_way: Option<(Token, Vec<Fact>)>,
    /// The waiting callers, by ticket.
    callers: BTreeMap<Ticket, String>,
    tickets: u64,
    /// Sequence numbers of nodes and app masters.
    sequences: BTreeMap<String, u64>,
}

impl Script {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self {
            brain: ResourceManager::new(settings.clone()),
            settings,
            facts: Vec::new(),
            launched: Vec::new(),
            epoch: 0,
            now_ms: 0,
            slow_store: false,
            kill_diagnostics: "killed by ann".to_owned(),
            under_way: None,
            callers: BTreeMap::new(),
            tickets: 0,
            sequences: BTreeMap::new(),
        }
    }

    #[track_caller]
    pub(super) fn check(mut self, script: &str) -> Self {
        let mut transcript = Vec::new();
        for line in script.lines().map(str::trim) {
            if let Some(command) = line.strip_prefix("> ") {
                transcript.push(line.to_owned());
                transcript.extend(self.run(command));
            }
        }
        let expected: Vec<&str> =
            script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(transcript.join("\n"), expected.join("\n"));
        self
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms), wall: WallTime(1_000_000 + self.now_ms) }
    }

    fn run(&mut self, command: &str) -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let rest = words.get(2..).unwrap_or_default();
        match words.as_slice() {
            ["start"] => {
                let (epoch, facts) = (self.epoch, kept(&self.facts));
                self.step(Input::Start { epoch, facts })
            }
            ["crash"] => {
                self.brain = ResourceManager::new(self.settings.clone());
                self.epoch += 1;
                self.under_way = None;
                self.callers.clear();
                Vec::new()
            }
            ["slow-store"] => {
                self.slow_store = true;
                Vec::new()
            }
            ["stored"] => {
                let (token, facts) = self.under_way.take().expect("something is under way");
                self.facts.extend(facts);
                self.step(Input::Persisted(token))
            }
            ["store-fails"] => {
                let (token, _) = self.under_way.take().expect("something is under way");
                self.step(Input::PersistFailed { token, problem: "disk full".to_owned() })
            }
            ["paused-until", millis] => {
                self.now_ms = millis.parse().unwrap();
                let mut out = Vec::new();
                self.brain.tick(self.now(), &mut out);
                self.take(out)
            }
            ["at", millis] => self.advance_to(millis.parse().unwrap()),
            ["new"] => {
                let ticket = self.ticket("client");
                self.step(Input::NewApplication { ticket })
            }
            ["submit", number, ..] => self.submit(number, rest),
            ["kill", number] => {
                let ticket = self.ticket("client");
                let diagnostics = self.kill_diagnostics.clone();
                self.step(Input::Kill { ticket, application: application(number), diagnostics })
            }
            ["leave", node] => {
                let ticket = self.ticket(node);
                let leave = LeaveNode { node: node_id(node), incarnation: 1 };
                self.step(Input::NodeLeaves { ticket, leave })
            }
            ["node", node, ..] => {
                let mut lines = self.register_node(node, rest);
                lines.extend(self.beat(node, rest));
                lines
            }
            ["register-node", node, ..] => self.register_node(node, rest),
            ["beat", node, ..] => self.beat(node, rest),
            ["register", attempt, ..] => self.register(attempt, rest),
            ["allocate", attempt, ..] => self.allocate(attempt, rest),
            ["finish", attempt, ..] => self.finish(attempt, rest),
            other => panic!("no command {other:?}"),
        }
    }

    fn submit(&mut self, number: &str, rest: &[&str]) -> Vec<String> {
        let ticket = self.ticket("client");
        let memory_mib = value(rest, "memory").unwrap_or(200);
        let submission = ApplicationSpec {
            application: application(number),
            name: value(rest, "name").unwrap_or_else(|| "job".to_owned()),
            user: "ann".to_owned(),
            queue: value(rest, "queue").unwrap_or_default(),
            max_attempts: value(rest, "max"),
            resources: Resources { memory_mib, vcores: value(rest, "vcores").unwrap_or(1) },
            launch: LaunchContext { command: vec!["run".to_owned()], ..LaunchContext::default() },
            ..ApplicationSpec::default()
        };
        self.step(Input::Submit { ticket, submission })
    }

    fn register_node(&mut self, node: &str, rest: &[&str]) -> Vec<String> {
        let ticket = self.ticket(node);
        let total = Resources {
            memory_mib: value(rest, "memory").unwrap_or(1000),
            vcores: value(rest, "vcores").unwrap_or(4),
        };
        self.step(Input::RegisterNode {
            ticket,
            register: RegisterNode {
                node: node_id(node),
                total,
                weir_version: "test".to_owned(),
                incarnation: value(rest, "incarnation").unwrap_or(1),
                containers: self.reports(rest),
            },
        })
    }

    /// `beat a 1.1.1=running hold=1000 seq=3 unhealthy=full`.
    fn beat(&mut self, node: &str, rest: &[&str]) -> Vec<String> {
        let sequence = self.sequence(node, rest);
        let ticket = self.ticket(&format!("{node}#{sequence}"));
        self.step(Input::NodeHeartbeat {
            ticket,
            heartbeat: NodeHeartbeat {
                node: node_id(node),
                incarnation: value(rest, "incarnation").unwrap_or(1),
                sequence,
                hold_ms: value(rest, "hold").unwrap_or(0),
                containers: self.reports(rest),
                unhealthy: value(rest, "unhealthy"),
                used_memory_mib: 1,
            },
        })
    }

    fn reports(&self, words: &[&str]) -> Vec<ContainerReport> {
        let report = |(id, state): (&str, &str)| {
            let (state, exit) = state.split_once(':').unwrap_or((state, ""));
            let container = container(id);
            let lease = self.brain.cluster.leases.get(&container);
            ContainerReport {
                container,
                resources: lease.map_or(Resources { memory_mib: 200, vcores: 1 }, |l| l.resources),
                state: match state {
                    "localizing" => ContainerState::Localizing,
                    "running" => ContainerState::Running,
                    "killing" => ContainerState::Killing,
                    "complete" => ContainerState::Complete,
                    "unknown" => ContainerState::Unknown,
                    _ => return None,
                },
                exit_status: exit.parse().ok(),
                diagnostics: String::new(),
                used_memory_mib: 1,
            }
            .into()
        };
        words.iter().filter_map(|word| word.split_once('=')).filter_map(report).collect()
    }

    /// `register 1.1 held=1.1.2@a:100`.
    fn register(&mut self, attempt: &str, rest: &[&str]) -> Vec<String> {
        self.sequences.remove(attempt);
        let ticket = self.ticket(attempt);
        let held = list(rest, "held").into_iter().map(|text| {
            let (id, place) = text.split_once('@').unwrap();
            let (node, memory) = place.split_once(':').unwrap();
            let resources = Resources { memory_mib: memory.parse().unwrap(), vcores: 1 };
            Lease { container: container(id), node: node_id(node), resources }
        });
        let register =
            RegisterAppMaster { attempt: attempt_id(attempt), rest_port: 7, held: held.collect() };
        self.step(Input::RegisterAppMaster { ticket, register })
    }

    /// `allocate 1.1 ask=1:p1:300:x2 held=1.1.2,1.1.3 release=.. seen=.. hold=1000 progress=0.5`.
    fn allocate(&mut self, attempt: &str, rest: &[&str]) -> Vec<String> {
        let sequence = self.sequence(attempt, rest);
        let ticket = self.ticket(&format!("{attempt}#{sequence}"));
        let asks = list(rest, "ask").into_iter().map(|text| {
            let parts: Vec<&str> = text.split(':').collect();
            Ask {
                id: parts[0].parse().unwrap(),
                priority: parts[1][1..].parse().unwrap(),
                resources: Resources { memory_mib: parts[2].parse().unwrap(), vcores: 1 },
                total: parts[3][1..].parse().unwrap(),
            }
        });
        let allocate = Allocate {
            attempt: attempt_id(attempt),
            epoch: value(rest, "epoch").unwrap_or(self.epoch),
            sequence,
            hold_ms: value(rest, "hold").unwrap_or(0),
            asks: asks.collect(),
            held: containers(rest, "held"),
            release: containers(rest, "release"),
            seen: containers(rest, "seen"),
            progress: value(rest, "progress").unwrap_or(0.5),
        };
        self.step(Input::Allocate { ticket, allocate })
    }

    fn finish(&mut self, attempt: &str, rest: &[&str]) -> Vec<String> {
        let ticket = self.ticket(attempt);
        let final_status = match rest.first() {
            Some(&"failed") => FinalStatus::Failed,
            _ => FinalStatus::Succeeded,
        };
        let finish = FinishAppMaster {
            attempt: attempt_id(attempt),
            final_status,
            diagnostics: "as it said".to_owned(),
            archive: vec![ArchivedAnswer { path: "/jobs".to_owned(), json: "{}".to_owned() }],
        };
        self.step(Input::FinishAppMaster { ticket, finish })
    }

    fn ticket(&mut self, caller: &str) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.callers.insert(ticket, caller.to_owned());
        ticket
    }

    fn sequence(&mut self, caller: &str, rest: &[&str]) -> u64 {
        if let Some(given) = value(rest, "seq") {
            return given;
        }
        let last = self.sequences.entry(caller.to_owned()).or_default();
        *last += 1;
        *last
    }

    fn step(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.brain.step(self.now(), input, &mut out);
        self.take(out)
    }

    /// Ticks at every deadline up to a time, as a shell does.
    fn advance_to(&mut self, millis: u64) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(deadline) = self.brain.next_deadline().filter(|at| at.0 <= millis) {
            self.now_ms = deadline.0.max(self.now_ms);
            let mut out = Vec::new();
            self.brain.tick(self.now(), &mut out);
            lines.extend(self.take(out));
        }
        self.now_ms = millis;
        lines
    }

    fn take(&mut self, effects: Vec<Effect>) -> Vec<String> {
        self.brain.check_invariants();
        let mut lines = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist { token, facts } => {
                    let texts: Vec<String> = facts.iter().map(render_fact).collect();
                    lines.push(format!("store {}", texts.join(", ")));
                    assert!(self.under_way.replace((token, facts)).is_none());
                    if !self.slow_store {
                        lines.extend(self.run("stored"));
                    }
                }
                Effect::Reply { ticket, reply } => {
                    let caller = self.callers.remove(&ticket).expect("a caller waits");
                    if let Ok(Reply::NodeOrders(orders)) = &reply {
                        self.launched.extend(orders.launch.iter().cloned());
                    }
                    let text = match &reply {
                        Ok(reply) => render_reply(reply),
                        Err(error) => format!("{} {error}", error.code()),
                    };
                    lines.push(format!("{caller}: {text}"));
                }
                Effect::ArtifactsUnused(hashes) => lines.push(format!("unused {}", hashes.len())),
            }
        }
        lines
    }
}

/// The facts that remain in a store.
fn kept(facts: &[Fact]) -> Vec<Fact> {
    let mut kept: Vec<Fact> = Vec::new();
    for fact in facts {
        if let Some(application) = fact.forgets() {
            let prefix = format!("{application}/");
            kept.retain(|other| !other.key().starts_with(&prefix));
        }
        kept.retain(|other| other.key() != fact.key());
        kept.push(fact.clone());
    }
    kept.retain(|fact| !matches!(fact, Fact::Archived { .. }));
    kept
}

fn render_fact(fact: &Fact) -> String {
    match fact {
        Fact::ApplicationIdsReserved { below } => format!("ids-below {below}"),
        Fact::ApplicationSubmitted { submission, .. } => {
            format!("submitted {}", submission.application.sequence)
        }
        Fact::KillRequested { application, .. } => format!("kill {}", application.sequence),
        Fact::AttemptStarted { container, node, .. } => {
            format!("attempt {} on {}", name(*container), letter(node))
        }
        Fact::ContainersAsked { attempt } => format!("asked {}", attempt_name(*attempt)),
        Fact::AttemptFinished { attempt, final_status, .. } => {
            format!("finished {} {final_status:?}", attempt_name(*attempt))
        }
        Fact::AttemptEnded { attempt, exit_status, counted, .. } => {
            let counts = if *counted { "counts" } else { "does-not-count" };
            format!("attempt-ended {} {exit_status} {counts}", attempt_name(*attempt))
        }
        Fact::ApplicationEnded { application, outcome, final_status, .. } => {
            format!("ended {} {outcome:?} {final_status:?}", application.sequence)
        }
        Fact::Archived { application, answers } => {
            format!("archive {} x{}", application.sequence, answers.len())
        }
        Fact::ApplicationForgotten { application, highest } => {
            format!("forgotten {} highest {highest}", application.sequence)
        }
    }
}

fn render_reply(reply: &Reply) -> String {
    match reply {
        Reply::NodeRegistered(_) => "registered".to_owned(),
        Reply::NodeOrders(orders) => render_orders(orders),
        Reply::NodeLeft => "left".to_owned(),
        Reply::NewApplication { application, largest_node } => {
            format!("id {} largest {}", application.sequence, largest_node.memory_mib)
        }
        Reply::Submitted(application) => format!("submitted {}", application.sequence),
        Reply::Kill { had_ended } => format!("kill had-ended={had_ended}"),
        Reply::AppMasterRegistered(answer) => {
            let earlier =
                if answer.earlier_attempt_asked { ", an earlier attempt asked" } else { "" };
            format!("registered epoch {}{earlier}", answer.epoch)
        }
        Reply::Allocated(answer) => render_allocated(answer),
        Reply::AppMasterFinished => "may-exit".to_owned(),
    }
}

fn render_orders(orders: &NodeOrders) -> String {
    let mut words = vec![format!("{:?}", orders.action)];
    words.extend(orders.launch.iter().map(|one| format!("launch {}", name(one.container))));
    words.extend(
        orders
            .kill
            .iter()
            .map(|kill| format!("kill {}:{}", name(kill.container), kill.exit_status)),
    );
    words.extend(orders.forget.iter().map(|id| format!("forget {}", name(*id))));
    words.extend(orders.ended.iter().map(|application| format!("ended {}", application.sequence)));
    words.join(" ")
}

fn render_allocated(answer: &Allocated<GrantedLease>) -> String {
    let mut words = vec![format!("{:?}", answer.command)];
    words.extend(answer.leases.iter().map(|lease| {
        let Lease { container, node, .. } = &lease.lease;
        format!("lease {}@{}:{}", name(*container), letter(node), lease.ask)
    }));
    words.extend(answer.completed.iter().map(|report| {
        format!("completed {}:{}", name(report.container), report.exit_status.unwrap())
    }));
    words.extend(
        answer
            .pending
            .iter()
            .map(|ask| format!("pending {} x{} ({})", ask.ask, ask.missing, ask.reason)),
    );
    words.join(" ")
}

fn value<T: std::str::FromStr>(words: &[&str], key: &str) -> Option<T> {
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == key)?.1.parse().ok()
}

fn list(words: &[&str], key: &str) -> Vec<String> {
    let text: Option<String> = value(words, key);
    text.map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

fn containers(words: &[&str], key: &str) -> Vec<ContainerId> {
    list(words, key).iter().map(|text| container(text)).collect()
}

pub(super) fn application(number: &str) -> ApplicationId {
    ApplicationId { cluster_timestamp: 1, sequence: number.parse().unwrap() }
}

fn attempt_id(text: &str) -> AttemptId {
    let (number, attempt) = text.split_once('.').unwrap();
    AttemptId { application: application(number), number: attempt.parse().unwrap() }
}

fn container(text: &str) -> ContainerId {
    let (epoch, rest) = match text.split_once('/') {
        Some((epoch, rest)) => (epoch[1..].parse().unwrap(), rest),
        None => (0, text),
    };
    let Some((attempt, sequence)) = rest.rsplit_once('.') else { return ContainerId::default() };
    let Ok(sequence) = sequence.parse() else { return ContainerId::default() };
    ContainerId { attempt: attempt_id(attempt), epoch, sequence }
}

fn name(id: ContainerId) -> String {
    let epoch = if id.epoch > 0 { format!("e{}/", id.epoch) } else { String::new() };
    format!("{epoch}{}.{}", attempt_name(id.attempt), id.sequence)
}

fn attempt_name(id: AttemptId) -> String {
    format!("{}.{}", id.application.sequence, id.number)
}

fn node_id(letter: &str) -> NodeId {
    NodeId(format!("{letter}:1"))
}

fn letter(node: &NodeId) -> &str {
    node.0.split(':').next().unwrap()
}

/// Nodes and app masters are lost after 3 s, leases after 2 s; leasing begins 1 s after a restart.
pub(super) fn settings() -> Settings {
    let ms = Duration::from_millis;
    Settings {
        cluster_timestamp: 1,
        heartbeat_interval: ms(1000),
        node_expiry: ms(3000),
        app_master_expiry: ms(3000),
        container_allocation_expiry: ms(2000),
        recovery_wait: ms(1000),
        larger_node_wait: ms(1000),
        app_master_share: Share::HALF,
        give_way_wait: ms(1500),
        max_app_attempts: 2,
        max_completed_applications: 2,
        minimum_allocation_mib: 100,
        lost_node_retention: ms(10_000),
    }
}

/// One application with a registered app master on node `a`; node `b` is empty.
pub(super) const RUNNING: &str = "> start
    > node a
    a: registered
    a#1: Normal
    > node b
    b: registered
    b#1: Normal
    > new
    store ids-below 10
    client: id 1 largest 1000
    > submit 1
    store submitted 1
    client: submitted 1
    store attempt 1.1.1 on a
    > beat a
    a#2: Normal launch 1.1.1
    > beat a 1.1.1=running
    a#3: Normal
    > register 1.1
    1.1: registered epoch 0\n";

/// The same, followed by further lines.
#[track_caller]
pub(super) fn check_running(script: &str) -> Script {
    Script::new().check(&format!("{RUNNING}{script}"))
}
