//! Scripts: a series of inputs, and all effects that the brain returns.

mod lifecycle;
mod orders;
mod random;

use crate::*;
use std::time::Duration;
use weir_base::{
    ApplicationId, ArtifactHash, AttemptId, ContainerId, Machine, Monotonic, NodeId, Now,
    Resources, WallTime,
};
use weir_protocol::cluster::{
    ArtifactUse, ContainerReport, ContainerState, KillContainer, LaunchContainer, LaunchContext,
    NodeAction, NodeHeartbeat, NodeOrders, NodeRegistered, exit_status,
};

const LEASE: Resources = Resources { memory_mib: 1024, vcores: 1 };

fn application(sequence: u32) -> ApplicationId {
    ApplicationId { cluster_timestamp: 1, sequence }
}

fn container(sequence: u64) -> ContainerId {
    let attempt = AttemptId { application: application(1), number: 1 };
    ContainerId { attempt, epoch: 0, sequence }
}

fn kill(container: ContainerId, exit_status: i32) -> KillContainer {
    KillContainer { container, exit_status }
}

fn hash(tag: u8) -> ArtifactHash {
    ArtifactHash([tag; 32])
}

fn launch(sequence: u64, files: &[u8]) -> LaunchContainer {
    let artifacts = files.iter().map(|&tag| ArtifactUse {
        name: format!("file-{tag}"),
        hash: hash(tag),
        size_bytes: 10,
        executable: false,
    });
    let launch = LaunchContext {
        command: vec!["run".to_owned()],
        environment: vec![],
        artifacts: artifacts.collect(),
    };
    LaunchContainer { container: container(sequence), resources: LEASE, launch }
}

fn start(sequence: u64, files: &[u8]) -> Input {
    Input::Start { ticket: Ticket(sequence), start: launch(sequence, files) }
}

fn stop(sequence: u64) -> Input {
    Input::Stop { ticket: Ticket(sequence), container: container(sequence), resources: LEASE }
}

fn launched(sequence: u64) -> Input {
    Input::Launched { container: container(sequence), result: Ok(()) }
}

fn exited(sequence: u64, exit_status: i32) -> Input {
    let exit = Exit { exit_status, diagnostics: String::new() };
    Input::Exited { container: container(sequence), exit }
}

fn report(sequence: u64, state: ContainerState, exit_status: Option<i32>) -> ContainerReport {
    ContainerReport {
        container: container(sequence),
        resources: LEASE,
        state,
        exit_status,
        diagnostics: String::new(),
        used_memory_mib: 0,
    }
}

fn no_orders() -> NodeOrders {
    NodeOrders {
        sequence: 0,
        action: NodeAction::Normal,
        launch: vec![],
        kill: vec![],
        forget: vec![],
        ended: vec![],
    }
}

/// A brain, its time, and the heartbeats it has sent.
struct Script {
    brain: NodeAgent,
    now_ms: u64,
    sequence: u64,
    registration: u64,
}

impl Script {
    /// A node that has just recovered.
    fn new(recovered: Recovered) -> (Self, Vec<Effect>) {
        let node = NodeId("127.0.0.1:8042".to_owned());
        let mut settings = Settings::new(node, Resources { memory_mib: 4096, vcores: 4 }, 7);
        settings.download_tries = 2;
        settings.cache_target_bytes = 25;
        settings.log_retention = Duration::from_secs(100);
        let brain = NodeAgent::new(settings);
        let mut script = Self { brain, now_ms: 0, sequence: 0, registration: 0 };
        let effects = script.step_all(Input::Recovered(recovered));
        (script, effects)
    }

    /// A node that has registered, and whose first heartbeat is held.
    fn joined() -> Self {
        let (mut script, _) = Self::new(Recovered::default());
        script.join();
        script
    }

    fn join(&mut self) -> Vec<Effect> {
        let answer = NodeRegistered { heartbeat_interval_ms: 1000, expiry_ms: 30_000 };
        let registration = self.registration;
        self.step_all(Input::Registered { registration, result: Ok(answer) })
    }

    fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms), wall: WallTime(0) }
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::SendHeartbeat(heartbeat) => self.sequence = heartbeat.sequence,
                Effect::SendRegister { registration, .. } => self.registration = *registration,
                _ => {}
            }
        }
        self.brain.check_invariants();
    }

    fn step_all(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.brain.step(self.now(), input, &mut out);
        self.note(&out);
        out
    }

    /// Effects of a step, without heartbeats.
    fn step(&mut self, input: Input) -> Vec<Effect> {
        without_heartbeats(self.step_all(input))
    }

    /// Effects while time passes, without heartbeats.
    fn wait(&mut self, ms: u64) -> Vec<Effect> {
        let until = Monotonic(self.now_ms + ms);
        let mut all = Vec::new();
        while let Some(deadline) = self.brain.next_deadline().filter(|next| *next <= until) {
            self.now_ms = self.now_ms.max(deadline.0);
            let mut out = Vec::new();
            self.brain.tick(self.now(), &mut out);
            self.note(&out);
            all.extend(out);
        }
        self.now_ms = until.0;
        without_heartbeats(all)
    }

    /// Answers the heartbeat sent last.
    fn answer_all(&mut self, orders: NodeOrders) -> Vec<Effect> {
        let sequence = self.sequence;
        self.step_all(Input::Answered { sequence, result: Ok(NodeOrders { sequence, ..orders }) })
    }

    fn answer(&mut self, orders: NodeOrders) -> Vec<Effect> {
        without_heartbeats(self.answer_all(orders))
    }

    /// The current report.
    fn reports(&mut self) -> Vec<ContainerReport> {
        let effects = self.answer_all(no_orders());
        let sent = effects.into_iter().chain(self.wait_all(1000)).find_map(|effect| match effect {
            Effect::SendHeartbeat(heartbeat) => Some(heartbeat.containers),
            _ => None,
        });
        sent.expect("an answered heartbeat is followed by another")
    }

    fn wait_all(&mut self, ms: u64) -> Vec<Effect> {
        self.now_ms += ms;
        let mut out = Vec::new();
        self.brain.tick(self.now(), &mut out);
        self.note(&out);
        out
    }
}

fn without_heartbeats(effects: Vec<Effect>) -> Vec<Effect> {
    let kept =
        |effect: &Effect| !matches!(effect, Effect::SendHeartbeat(_) | Effect::SendRegister { .. });
    effects.into_iter().filter(kept).collect()
}

fn heartbeats(effects: &[Effect]) -> Vec<&NodeHeartbeat> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::SendHeartbeat(heartbeat) => Some(heartbeat),
        _ => None,
    });
    sent.collect()
}
