//! Scripts: lines of `> input`, each followed by the effects it leads to.
//!
//! The job is a source (vertex 0) and a committing sink (vertex 1) with one subtask each, unless
//! a test says otherwise. Tasks are written `vertex/subtask`, with `#epoch.deployment` behind it
//! for an attempt; `all` means every task that was deployed last.

use crate::{
    job_master::JobMaster,
    messages::{
        AppendOutcome, CheckpointRetention, CheckpointSettings, Effect, Input, JobLogRecord,
        JobOutcome, JobSettings, RestartStrategy,
    },
    plan,
};
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};
use weir_base::{
    CheckpointId, ExecutionAttempt, Failure, FailureOrigin, JobId, LogIndex, Machine, Monotonic,
    Now, OperatorId, WallTime,
};
use weir_graph::{
    ChainingStrategy, EdgeSpec, ExchangeKind, Fingerprint, JobGraph, NodeId, Partitioning,
    SnapshotHandle, StreamGraph, StreamNode, TaskId, TaskSnapshotMeta,
};
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand, TaskReport},
};

/// Runs a script and compares the whole of it.
#[track_caller]
pub(super) fn check(script: &str) {
    Script::new().check(script);
}

pub(super) struct Script {
    pub(super) graph: StreamGraph,
    pub(super) settings: JobSettings,
    /// Index of the first record.
    pub(super) first: u64,
    pub(super) log: Vec<JobLogRecord>,
    master: JobMaster,
    make: fn(JobGraph, JobSettings) -> JobMaster,
    pending: Option<(LogIndex, JobLogRecord)>,
    deployed: BTreeMap<TaskId, ExecutionAttempt>,
    now_ms: u64,
}

impl Script {
    pub(super) fn new() -> Self {
        Self::of(graph(1), settings())
    }

    pub(super) fn of(graph: StreamGraph, settings: JobSettings) -> Self {
        Self::made_by(JobMaster::new, graph, settings)
    }

    /// The job on a cluster, where its log is that of one submission.
    pub(super) fn submitted() -> Self {
        Self::made_by(JobMaster::submitted, graph(1), settings())
    }

    fn made_by(
        make: fn(JobGraph, JobSettings) -> JobMaster,
        graph: StreamGraph,
        mut settings: JobSettings,
    ) -> Self {
        settings.fingerprint = Fingerprint::of(&graph);
        Self {
            master: make(plan(&graph).unwrap(), settings.clone()),
            make,
            graph,
            settings,
            first: 0,
            log: Vec::new(),
            pending: None,
            deployed: BTreeMap::new(),
            now_ms: 0,
        }
    }

    /// Runs commands without a look at what they lead to.
    pub(super) fn follow(&mut self, commands: &[&str]) -> &JobMaster {
        commands.iter().for_each(|command| drop(self.run(command)));
        &self.master
    }

    #[track_caller]
    pub(super) fn check(mut self, script: &str) -> JobMaster {
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
        self.master
    }

    fn run(&mut self, command: &str) -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["start"] => {
                let first = LogIndex(self.first);
                self.step(Input::Start { first, log: self.log.clone() })
            }
            ["unreadable"] => self.step(Input::LogUnreadable { failure: failure("io") }),
            ["unreadable-for-good"] => {
                let failure = Failure { origin: FailureOrigin::Permanent, ..failure("damaged") };
                self.step(Input::LogUnreadable { failure })
            }
            ["cancel"] => self.step(Input::CancelRequested),
            ["appended"] => self.append(true, |_, tail| AppendOutcome::Appended { tail }),
            // Only because a newer master has compacted the log up to a later record.
            ["appended-in-hole"] => self.append(false, |_, tail| {
                let later = LogIndex(tail.end().0 + 5);
                AppendOutcome::Appended { tail: later..=later.next() }
            }),
            ["appended-but-overtaken"] => self.append(true, |_, tail| AppendOutcome::Appended {
                tail: *tail.start()..=tail.end().next(),
            }),
            ["append-fails"] => self.append(false, |_, _| AppendOutcome::Failed(failure("io"))),
            ["append-fails-but-lands"] => {
                self.append(true, |_, _| AppendOutcome::Failed(failure("io")))
            }
            ["taken-by-itself"] => self.append(false, taken),
            ["taken-by-epoch", epoch] => {
                let epoch = epoch.parse().unwrap();
                let record = self.epoch_begins(epoch);
                self.append(false, |_, tail| taken(record, tail))
            }
            ["taken-by-reservation"] => self.append(false, |_, tail| {
                let below = CheckpointId(500);
                taken(JobLogRecord::CheckpointIdsReserved { below }, tail)
            }),
            ["taken-in-hole"] => self.append(false, |_, tail| {
                let later = LogIndex(tail.end().0 + 5);
                let below = CheckpointId(500);
                taken(JobLogRecord::CheckpointIdsReserved { below }, later..=later.next())
            }),
            ["taken-by-end"] => self.append(false, |_, tail| {
                let outcome = JobOutcome {
                    status: JobStatus::Finished,
                    failure: None,
                    restarts: 2,
                    completed_checkpoints: 3,
                    last_checkpoint: Some(CheckpointId(5)),
                    off_record: false,
                    commit_is_open: false,
                };
                let epoch = weir_base::LeaderEpoch(1);
                taken(JobLogRecord::Finished { epoch, outcome }, tail)
            }),
            ["at", millis] => self.advance_to(millis.parse().unwrap()),
            ["crash"] => {
                self.pending = None;
                let graph = plan(&self.graph).unwrap();
                self.master = (self.make)(graph, self.settings.clone());
                Vec::new()
            }
            ["lost", tasks @ ..] => {
                let tasks = tasks.iter().flat_map(|text| self.tasks(text)).collect();
                self.step(Input::TasksLost { tasks, failure: failure("host-lost") })
            }
            ["unplaceable", tasks @ ..] => {
                let tasks = tasks.iter().flat_map(|text| self.tasks(text)).collect();
                self.step(Input::TasksUnplaceable { tasks, failure: failure("no-slots") })
            }
            ["loses-peer", task, peer] => {
                let [(task, attempt), peer] = [task, peer].map(|text| self.tasks(text)[0]);
                let kind = ReportKind::LostPeer { peer, failure: failure("connection-lost") };
                self.step(Input::Task(TaskReport { task, attempt, kind }))
            }
            [what, rest @ ..] => self.report(what, rest),
            [] => Vec::new(),
        }
    }

    /// `ack c1 0/0`, `running all`, `fails 0/0 permanent`.
    fn report(&mut self, what: &str, rest: &[&str]) -> Vec<String> {
        let checkpoint = rest.iter().find_map(|word| word.strip_prefix('c')?.parse().ok());
        let checkpoint = CheckpointId(checkpoint.unwrap_or(0));
        let mut declined = failure("declined");
        let mut failed = failure("boom");
        if rest.contains(&"permanent") {
            failed.origin = FailureOrigin::Permanent;
            declined.origin = FailureOrigin::Permanent;
        }
        let mut lines = Vec::new();
        let targets: Vec<_> = rest.iter().flat_map(|word| self.tasks(word)).collect();
        for (task, attempt) in targets {
            let kind = match what {
                "running" => ReportKind::Running,
                "ends" => ReportKind::EndOfData,
                "ack" => self.acknowledgement(task, checkpoint),
                "decline" => ReportKind::SnapshotDeclined { checkpoint, failure: declined.clone() },
                "committed" => ReportKind::Committed(checkpoint),
                "finished" => ReportKind::Finished,
                "canceled" => ReportKind::Canceled,
                "fails" => ReportKind::Failed(failed.clone()),
                other => panic!("no input {other:?}"),
            };
            lines.extend(self.step(Input::Task(TaskReport { task, attempt, kind })));
        }
        lines
    }

    fn acknowledgement(&self, task: TaskId, checkpoint: CheckpointId) -> ReportKind {
        let graph = plan(&self.graph).unwrap();
        let vertex = &graph.vertices[task.vertex as usize];
        let snapshot = SnapshotHandle {
            task,
            vertex: vertex.id,
            key_groups: vertex.key_groups(task.subtask),
            max_parallelism: Some(vertex.max_parallelism),
            operators: vertex.operators.iter().map(|o| o.node.operator_id).collect(),
            path: format!("c{checkpoint}-{}-{}", task.vertex, task.subtask),
            size_bytes: 10,
        };
        let meta = TaskSnapshotMeta { sync_ms: 1, async_ms: 2, alignment_ms: 3 };
        ReportKind::SnapshotAcknowledged { checkpoint, snapshot, meta }
    }

    fn step(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.master.step(self.now(), input, &mut out);
        self.take(out)
    }

    fn append(
        &mut self,
        lands: bool,
        outcome: impl FnOnce(JobLogRecord, RangeInclusive<LogIndex>) -> AppendOutcome,
    ) -> Vec<String> {
        let (index, record) = self.pending.take().expect("an append is under way");
        if lands {
            self.log.push(record.clone());
        }
        let tail = LogIndex(self.first)..=index;
        self.step(Input::LogAppended { index, outcome: outcome(record, tail) })
    }

    /// Ticks at every deadline up to a moment, as a shell does.
    fn advance_to(&mut self, millis: u64) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(deadline) = self.master.next_deadline().filter(|at| at.0 <= millis) {
            self.now_ms = deadline.0.max(self.now_ms);
            let mut out = Vec::new();
            self.master.tick(self.now(), &mut out);
            lines.extend(self.take(out));
        }
        self.now_ms = millis;
        lines
    }

    /// Remembers what effects ask for, and renders them.
    fn take(&mut self, effects: Vec<Effect>) -> Vec<String> {
        self.master.check_invariants();
        let due = self.master.next_deadline();
        assert!(due.is_none_or(|at| at.0 > self.now_ms), "a passed deadline was not handled");
        for effect in &effects {
            match effect {
                Effect::AppendLog { index, record } => {
                    assert!(self.pending.replace((*index, record.clone())).is_none());
                }
                Effect::DeleteLog { below } => {
                    self.log.drain(..(below.0 - self.first) as usize);
                    self.first = below.0;
                }
                Effect::Deploy(deployment) => {
                    self.deployed.insert(deployment.task, deployment.attempt);
                }
                _ => {}
            }
        }
        effects.iter().map(render).collect()
    }

    fn tasks(&self, text: &str) -> Vec<(TaskId, ExecutionAttempt)> {
        if text == "all" {
            return self.deployed.iter().map(|(task, attempt)| (*task, *attempt)).collect();
        }
        let (task, attempt) = text.split_once('#').map_or((text, None), |(t, a)| (t, Some(a)));
        let Some((vertex, subtask)) = task.split_once('/') else { return Vec::new() };
        let task = TaskId { vertex: vertex.parse().unwrap(), subtask: subtask.parse().unwrap() };
        let attempt = match attempt.and_then(|text| text.split_once('.')) {
            Some((epoch, deployment)) => {
                let (epoch, deployment): (u64, u64) =
                    (epoch.parse().unwrap(), deployment.parse().unwrap());
                ExecutionAttempt(epoch << 32 | deployment)
            }
            None => self.deployed[&task],
        };
        vec![(task, attempt)]
    }

    fn epoch_begins(&self, epoch: u64) -> JobLogRecord {
        JobLogRecord::EpochBegins {
            epoch: weir_base::LeaderEpoch(epoch),
            job: self.settings.job,
            name: self.graph.name.clone(),
            fingerprint: self.settings.fingerprint.clone(),
            first_checkpoint: CheckpointId(1000 * epoch),
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms), wall: WallTime(1_000_000 + self.now_ms) }
    }
}

fn render(effect: &Effect) -> String {
    let at = |task: &TaskId, attempt: &ExecutionAttempt| {
        format!("{task}#{}.{}", attempt.0 >> 32, attempt.0 & 0xffff_ffff)
    };
    match effect {
        Effect::ReadLog => "read".to_owned(),
        Effect::AppendLog { index, record } => format!("append {index}: {}", render_record(record)),
        Effect::DeleteLog { below } => format!("delete log below {below}"),
        Effect::Deploy(d) => {
            let restore = d.restore.as_ref().map_or(String::new(), |restore| {
                let paths: Vec<&str> = restore.snapshots.iter().map(|s| s.path.as_str()).collect();
                format!(" from {}", paths.join(" "))
            });
            format!("deploy {}{restore}", at(&d.task, &d.attempt))
        }
        Effect::Command { task, attempt, command } => {
            format!("{} {}", render_command(*command), at(task, attempt))
        }
        Effect::Dispose { checkpoint, paths } => {
            format!("dispose c{checkpoint} {}", paths.join(" "))
        }
        Effect::SweepSnapshots { below, keep } => {
            let keep: String = keep.iter().map(|path| format!(" {path}")).collect();
            format!("sweep below c{below} but{}", if keep.is_empty() { " nothing" } else { &keep })
        }
        Effect::StatusChanged { status, failure } => {
            format!("status {status:?}{}", render_failure(failure.as_ref()))
        }
        Effect::Terminated(outcome) => format!("terminated {}", render_outcome(outcome)),
    }
}

fn render_command(command: TaskCommand) -> String {
    match command {
        TaskCommand::Cancel => "cancel".to_owned(),
        TaskCommand::Abandon => "abandon".to_owned(),
        TaskCommand::TriggerCheckpoint(id) => format!("trigger c{id}"),
        TaskCommand::CheckpointCompleted(id) => format!("complete c{id}"),
        TaskCommand::CheckpointAborted(id) => format!("aborted c{id}"),
        TaskCommand::Finish => "finish".to_owned(),
    }
}

fn render_record(record: &JobLogRecord) -> String {
    match record {
        JobLogRecord::EpochBegins { epoch, first_checkpoint, .. } => {
            format!("epoch {epoch} from c{first_checkpoint}")
        }
        JobLogRecord::CheckpointIdsReserved { below } => format!("reserved below c{below}"),
        JobLogRecord::CheckpointCompleted { checkpoint, .. } => format!("completed c{checkpoint}"),
        JobLogRecord::CheckpointDisposed { checkpoint } => format!("disposed c{checkpoint}"),
        JobLogRecord::LogSnapshot { epoch, unused_ids, completed, .. } => {
            let completed: String = completed.iter().map(|c| format!(" c{}", c.id)).collect();
            format!("snapshot of epoch {epoch}, ids from c{unused_ids}, completed{completed}")
        }
        JobLogRecord::Finished { outcome, .. } => format!("ended {}", render_outcome(outcome)),
    }
}

fn taken(theirs: JobLogRecord, tail: RangeInclusive<LogIndex>) -> AppendOutcome {
    AppendOutcome::Taken { theirs: Box::new(theirs), tail }
}

fn render_outcome(outcome: &JobOutcome) -> String {
    let last = outcome.last_checkpoint.map_or("none".to_owned(), |id| format!("c{id}"));
    format!(
        "{}{:?} restarts {} completed {} last {last}{}{}",
        if outcome.off_record { "off-record " } else { "" },
        outcome.status,
        outcome.restarts,
        outcome.completed_checkpoints,
        if outcome.commit_is_open { " commit open" } else { "" },
        render_failure(outcome.failure.as_ref())
    )
}

fn render_failure(failure: Option<&Failure>) -> String {
    failure.map_or(String::new(), |failure| {
        let task = failure.task.as_ref().map_or(String::new(), |task| format!(" in {task}"));
        format!(" ({}{task})", failure.code)
    })
}

fn failure(code: &str) -> Failure {
    Failure::new(code, FailureOrigin::User, "as scripted")
}

/// A source and a committing sink behind a hash edge.
pub(in crate::job_master) fn graph(parallelism: u32) -> StreamGraph {
    StreamGraph {
        name: "job".into(),
        nodes: vec![node("source", false), node("sink", true)],
        edges: vec![EdgeSpec {
            from: NodeId(0),
            to: NodeId(1),
            input: 0,
            partitioning: Some(Partitioning::Hash),
            exchange: ExchangeKind::Pipelined,
        }],
        default_parallelism: parallelism,
        chaining: true,
        ..StreamGraph::default()
    }
}

pub(in crate::job_master) fn node(name: &str, commits: bool) -> StreamNode {
    StreamNode {
        operator_id: OperatorId::of_text(name),
        uid: Some(name.to_owned()),
        name: name.to_owned(),
        kind: name.to_owned(),
        parallelism: None,
        max_parallelism: None,
        fixed_parallelism: None,
        parallelism_of: None,
        chaining: ChainingStrategy::Always,
        states: Vec::new(),
        output: None,
        specification: Vec::new(),
        bounded: true,
        coordinator: false,
        commits,
    }
}

/// A checkpoint each second, one of them kept; one restart after 50 ms.
pub(super) fn settings() -> JobSettings {
    JobSettings {
        job: JobId::of_text("job"),
        fingerprint: Fingerprint::default(),
        checkpoints: Some(CheckpointSettings {
            interval: Duration::from_millis(1000),
            timeout: Duration::from_millis(500),
            min_pause: Duration::from_millis(700),
            tolerable_failures: 0,
            retained: 1,
        }),
        final_checkpoint_timeout: Duration::from_millis(300),
        retention: CheckpointRetention::OnFailureOrCancellation,
        restart: RestartStrategy::FixedDelay { attempts: 1, delay: Duration::from_millis(50) },
        storage_timeout: Duration::from_secs(20),
        cancellation_timeout: Duration::from_millis(200),
    }
}
