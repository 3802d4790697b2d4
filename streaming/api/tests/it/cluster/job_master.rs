//! The real job master, behind a control plane that a test can play with.

use super::{FOLDER_IN_CODE, Pipes, Process, configuration};
use crate::support::Folder;
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};
use weir::{Config, keys};
use weir_base::{ContainerId, ExecutionAttempt, Failure, FailureOrigin, JobId, LeaderEpoch};
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::Origin;
use weir_coordination::{
    CheckpointRetention, CheckpointSettings, JobSettings, RestartStrategy, plan::plan,
};
use weir_graph::{Fingerprint, StreamGraph, TaskDeployment, TaskId};
use weir_job_master::{Handle, JobMasterShell, ReportSender, TaskGateway};
use weir_protocol::{
    challenge::{JobKey, Nonce, Proof, Side},
    cluster::RecordedResult,
    control::*,
    job_executable::{
        JobMessage, Launch, Role, TaskLaunch, read_message, write_earlier_results,
        write_once_values,
    },
    task::{ReportKind, TaskCommand},
};

const MAX_WAIT: Duration = Duration::from_secs(60);

/// A job as a client has handed it over, and where its task hosts connect.
pub struct Cluster {
    pub folder: Folder,
    pub plot: &'static str,
    pub graph: StreamGraph,
    pub fingerprint: Fingerprint,
    /// As the client has resolved it.
    pub configuration: String,
    pub job: JobId,
    pub key: JobKey,
    pub epoch: LeaderEpoch,
    pub ordinal: u32,
    pub earlier: Vec<RecordedResult>,
    listener: TcpListener,
}

impl Cluster {
    /// Runs `main` in role client.
    pub fn new(plot: &'static str) -> Self {
        let folder = Folder::new();
        let launch = Launch {
            role: Role::Client,
            configuration: Some(configuration().to_json()),
            ..Launch::default()
        };
        let mut client = Process::start(&folder, plot, launch, Pipes::Messages);
        let (graph, fingerprint, configuration) = loop {
            match read_message(&mut client.messages).expect("sound") {
                Some(JobMessage::Graph { stream_graph, fingerprint, configuration, .. }) => {
                    break (*stream_graph, fingerprint, configuration);
                }
                Some(_) => {}
                None => panic!("no graph"),
            }
        };
        assert!(client.end().0.success(), "it ends behind its graph");
        let checkpoints = folder.path("checkpoints");
        let configuration = as_of_an_app_master(&configuration, &checkpoints);
        let job = JobId::of_text(plot);
        // An app master has it before any host is started, and a host creates none.
        std::fs::create_dir_all(checkpoints.join(job.to_string())).expect("writable");
        Self {
            folder,
            plot,
            graph,
            fingerprint,
            configuration,
            job,
            key: JobKey::new([9; 32]),
            epoch: LeaderEpoch(3),
            ordinal: 0,
            earlier: Vec::new(),
            listener: TcpListener::bind("127.0.0.1:0").expect("a port"),
        }
    }

    pub fn start_host(&self, number: u32) -> Process {
        let once = self.folder.path(&format!(".once-{number}"));
        let mut file = std::fs::File::create(&once).expect("writable");
        write_once_values(&mut file, &self.graph.once).expect("small");
        let earlier = self.folder.path(&format!(".earlier-{number}"));
        let mut file = std::fs::File::create(&earlier).expect("writable");
        write_earlier_results(&mut file, &self.earlier).expect("small");
        let launch = Launch {
            role: Role::Task,
            configuration: Some(configuration().to_json()),
            expected: Some(once),
            task: Some(TaskLaunch {
                job_master: self.listener.local_addr().expect("bound").to_string(),
                job: self.job,
                key: self.key.clone(),
                configuration: self.configuration.clone(),
                container: container(number),
                host: number,
                epoch: self.epoch,
                ordinal: self.ordinal,
                earlier: Some(earlier),
            }),
            ..Launch::default()
        };
        Process::start(&self.folder, self.plot, launch, Pipes::Lifeline)
    }

    /// Accepts a connection, up to its introduction, with the key of the acceptor.
    pub fn accept(&self, key: &JobKey) -> Option<Link> {
        let (stream, _) = self.listener.accept().expect("a host connects");
        stream.set_read_timeout(Some(MAX_WAIT)).expect("a socket");
        let mut link = Link {
            stream,
            frames: FrameReader::new(MAX_HANDSHAKE_BYTES),
            introduction: None,
            epoch: self.epoch,
        };
        let hello: Hello = link.receive()?;
        assert_eq!(hello.job, self.job);
        let nonce = Nonce([4; 32]);
        let proof = key.prove(&MAGIC, Side::Acceptor, hello.nonce, nonce);
        let mut bytes = Vec::new();
        encode_preamble(&mut bytes);
        link.stream.write_all(&bytes).expect("it listens");
        link.send(&Challenge { nonce, proof });
        let proof: Proof = link.receive()?;
        assert!(key.verify(&MAGIC, Side::Connector, hello.nonce, nonce, &proof));
        link.introduction = Some(link.receive()?);
        Some(link)
    }

    /// Accepts and welcomes.
    pub fn welcome(&self) -> Link {
        let mut link = self.accept(&self.key).expect("it introduces itself");
        link.send(&Admission::Welcome { epoch: self.epoch });
        link.frames.set_limit(MAX_MESSAGE_BYTES);
        link
    }

    /// Starts the job master, and two hosts for it.
    pub fn run(&self) -> Job {
        let fleet = Arc::new(Mutex::new(Fleet { hosts: vec![None, None], ..Fleet::default() }));
        let processes = [0, 1].map(|number| self.start_host(number)).into_iter().map(Some);
        let folder = self.folder.path("checkpoints").join(self.job.to_string());
        let storage = CheckpointStorage::local(&folder).expect("a folder");
        let graph = plan(&self.graph).expect("a sound graph");
        let mut reports = None;
        let handle = JobMasterShell::start(graph, self.settings(), storage, |sender| {
            reports = Some(sender);
            Box::new(Gateway(Arc::clone(&fleet)))
        });
        let job = Job {
            handle,
            fleet,
            reports: reports.expect("the gateway is made at once"),
            processes: processes.collect(),
        };
        job.join(self.welcome());
        job.join(self.welcome());
        job
    }

    fn settings(&self) -> JobSettings {
        JobSettings {
            job: self.job,
            fingerprint: self.fingerprint.clone(),
            checkpoints: Some(CheckpointSettings {
                interval: Duration::from_millis(10),
                timeout: MAX_WAIT,
                min_pause: Duration::ZERO,
                tolerable_failures: 0,
                retained: 1,
            }),
            final_checkpoint_timeout: MAX_WAIT,
            retention: CheckpointRetention::Never,
            restart: RestartStrategy::FixedDelay { attempts: 10, delay: Duration::ZERO },
            storage_timeout: MAX_WAIT,
            cancellation_timeout: MAX_WAIT,
        }
    }
}

/// The configuration of the job, with the folder of checkpoints that this node has.
fn as_of_an_app_master(configuration: &str, folder: &Path) -> String {
    let mut config = Config::from_json(configuration).expect("our own JSON");
    let in_code = weir_config::Folder::at(FOLDER_IN_CODE.as_ref());
    assert_eq!(config.get_optional(&keys::CHECKPOINTING_DIR), Some(in_code));
    assert_eq!(config.origin(&keys::CHECKPOINTING_DIR), Origin::Program);
    config.set(&keys::CHECKPOINTING_DIR, weir_config::Folder::at(folder)).expect("a folder");
    config.to_json()
}

pub fn container(number: u32) -> ContainerId {
    ContainerId { sequence: u64::from(number) + 2, ..ContainerId::default() }
}

/// A control connection, from the job master's side.
pub struct Link {
    stream: TcpStream,
    frames: FrameReader,
    pub introduction: Option<HostIntroduction>,
    pub epoch: LeaderEpoch,
}

impl Link {
    pub fn send<T: serde::Serialize>(&mut self, message: &T) {
        let mut bytes = Vec::new();
        encode_frame(message, &mut bytes).expect("small");
        // A peer that has ended is noticed by the reader.
        let _ = self.stream.write_all(&bytes);
    }

    pub fn order(&mut self, order: HostOrder) {
        let epoch = self.epoch;
        self.send(&Order { epoch, order });
    }

    /// The next message; none at the end of the connection.
    pub fn receive<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(body) = self.frames.next_body().expect("sound frames") {
                return Some(decode_body("message", &body).expect("the message expected"));
            }
            match self.stream.read(&mut buffer) {
                Ok(read_bytes) if read_bytes > 0 => self.frames.extend(&buffer[..read_bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return None,
            }
        }
    }

    fn split(self) -> (Self, Self) {
        let stream = self.stream.try_clone().expect("a socket");
        let frames = FrameReader::new(0);
        (Self { stream, frames, introduction: self.introduction.clone(), epoch: self.epoch }, self)
    }
}

/// The hosts of slots 0 and 1.
#[derive(Default)]
struct Fleet {
    hosts: Vec<Option<Link>>,
    /// Wait until there are all hosts again.
    queued: Vec<TaskDeployment>,
    deployed: Vec<(TaskId, ExecutionAttempt)>,
    counters: Vec<TaskCounters>,
    /// Tasks whose end was reported, with the counters known before.
    ended: Vec<(TaskId, Option<TaskCounters>)>,
    abandoned: Vec<Result<(), String>>,
}

impl Fleet {
    fn order(&mut self, task: TaskId, order: HostOrder) {
        if let Some(host) = &mut self.hosts[task.subtask as usize] {
            host.order(order);
        }
    }

    fn deploy(&mut self, deployment: TaskDeployment) {
        if self.hosts.iter().any(Option::is_none) {
            return self.queued.push(deployment);
        }
        let task = deployment.task;
        self.deployed.push((task, deployment.attempt));
        self.order(task, HostOrder::Deploy(Box::new(deployment)));
    }

    fn place(&mut self) {
        let address = |host: &Link| host.introduction.as_ref().expect("it is in").data_address;
        let hosts: Vec<_> = self.hosts.iter().flatten().map(address).collect();
        if hosts.len() < self.hosts.len() {
            return;
        }
        for (own, host) in (0..).zip(self.hosts.iter_mut().flatten()) {
            let placement = Placement { hosts: hosts.clone(), host_of_slot: vec![0, 1], own };
            host.order(HostOrder::Place(placement));
        }
        for deployment in std::mem::take(&mut self.queued) {
            self.deploy(deployment);
        }
    }
}

struct Gateway(Arc<Mutex<Fleet>>);

fn lock(fleet: &Mutex<Fleet>) -> MutexGuard<'_, Fleet> {
    fleet.lock().expect("not poisoned")
}

impl TaskGateway for Gateway {
    fn deploy(&mut self, deployment: TaskDeployment) {
        lock(&self.0).deploy(deployment);
    }

    fn command(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        let mut fleet = lock(&self.0);
        if command == TaskCommand::Cancel {
            let is_queued =
                |queued: &TaskDeployment| (queued.task, queued.attempt) == (task, attempt);
            assert!(!fleet.queued.iter().any(is_queued), "no test here cancels what waits");
        }
        fleet.order(task, HostOrder::Command { task, attempt, command });
    }
}

/// A job that runs in two task hosts.
pub struct Job {
    pub handle: Handle,
    fleet: Arc<Mutex<Fleet>>,
    reports: ReportSender,
    /// By the number they were started with.
    pub processes: Vec<Option<Process>>,
}

impl Job {
    /// Gives the next free slot to a host.
    pub fn join(&self, link: Link) {
        let (writer, mut reader) = link.split();
        let slot = {
            let mut fleet = lock(&self.fleet);
            let slot = fleet.hosts.iter().position(Option::is_none).expect("a free slot");
            fleet.hosts[slot] = Some(writer);
            fleet.place();
            slot
        };
        let (fleet, reports) = (Arc::clone(&self.fleet), self.reports.clone());
        thread::spawn(move || {
            while let Some(report) = reader.receive() {
                on_report(&fleet, &reports, report);
            }
            let mut fleet = lock(&fleet);
            fleet.hosts[slot] = None;
            let is_here = |(task, _): &(TaskId, ExecutionAttempt)| task.subtask as usize == slot;
            let (lost, rest) = fleet.deployed.iter().copied().partition(is_here);
            fleet.deployed = rest;
            let message = format!("the host of slot {slot} is gone");
            reports.tasks_lost(lost, failure("WEIR-TEST-0001", message));
        });
    }

    pub fn order_all(&self, order: &HostOrder) {
        let mut fleet = lock(&self.fleet);
        fleet.hosts.iter_mut().flatten().for_each(|host| host.order(order.clone()));
    }

    /// By task, the counters reported last before its end; each task once.
    pub fn final_counters(&self) -> Vec<TaskCounters> {
        let ended = lock(&self.fleet).ended.clone();
        ended.into_iter().map(|(_, counters)| counters.expect("they come first")).collect()
    }

    pub fn abandoned(&self) -> Vec<Result<(), String>> {
        lock(&self.fleet).abandoned.clone()
    }

    pub fn free_slots(&self) -> usize {
        lock(&self.fleet).hosts.iter().filter(|host| host.is_none()).count()
    }
}

fn on_report(fleet: &Mutex<Fleet>, reports: &ReportSender, report: HostReport) {
    match report {
        HostReport::Counters(counters) => lock(fleet).counters.extend(counters),
        HostReport::Abandoned(result) => lock(fleet).abandoned.push(result),
        HostReport::Task(report) => {
            if report.kind == ReportKind::Finished {
                let mut fleet = lock(fleet);
                let last = fleet.counters.iter().rfind(|known| known.task == report.task).cloned();
                fleet.ended.push((report.task, last));
            }
            reports.report(report);
        }
    }
}

fn failure(code: &str, message: String) -> Failure {
    let origin = FailureOrigin::External;
    Failure::new(code, origin, message)
}
