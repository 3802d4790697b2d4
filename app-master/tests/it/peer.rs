//! Task managers and task hosts that implement the control protocol and do nothing else.

use crate::{
    cluster::{Cluster, LIMIT},
    submission,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};
use weir_base::{ContainerId, ExecutionAttempt, JobId, LeaderEpoch};
use weir_graph::{Fingerprint, TaskDeployment, TaskId};
use weir_protocol::{
    challenge::{JobKey, Nonce, Side},
    cluster::{LaunchContext, variables},
    control::{
        Admission, Challenge, FrameReader, Hello, HostEnd, HostIntroduction, HostLaunch, HostOrder,
        HostReport, MAGIC, MAX_MESSAGE_BYTES, ManagerIntroduction, ManagerOrder, ManagerReport,
        Order, Peer, Placement, decode_body, encode_frame, encode_preamble,
    },
    task::{ReportKind, TaskCommand, TaskReport},
};

/// One control connection from the side of who connects.
pub struct Line {
    pub stream: TcpStream,
    frames: FrameReader,
}

impl Line {
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the job master listens");
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
        stream.set_nodelay(true).expect("set");
        Self { stream, frames: FrameReader::new(MAX_MESSAGE_BYTES) }
    }

    pub fn send<T: Serialize>(&mut self, message: &T) {
        self.try_send(message).expect("sent");
    }

    fn try_send<T: Serialize>(&mut self, message: &T) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        encode_frame(message, &mut bytes).expect("short");
        self.stream.write_all(&bytes)
    }

    /// The next message, or `None` when the other side has closed.
    #[track_caller]
    pub fn receive<T: DeserializeOwned>(&mut self, what: &'static str) -> Option<T> {
        let deadline = Instant::now() + LIMIT;
        let mut buffer = [0; 4096];
        loop {
            if let Some(body) = self.frames.next_body().expect("sound") {
                return Some(decode_body(what, &body).expect("a message"));
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(read) => self.frames.extend(&buffer[..read]),
                Err(error) if is_passing(&error) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for the other side to close, whatever it says before.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        let deadline = Instant::now() + LIMIT;
        let mut buffer = [0; 4096];
        loop {
            assert!(Instant::now() < deadline, "the connection is not closed");
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether to read again: nothing has come yet, or this process was stopped for a while.
fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

/// Parameters of a process in a container.
#[derive(Clone)]
pub struct Inside {
    pub container: ContainerId,
    pub address: String,
    pub job: JobId,
    pub key: JobKey,
}

impl Inside {
    pub fn of(container: ContainerId, launch: &LaunchContext) -> Self {
        let variable = |name: &str| {
            let found = launch.environment.iter().find(|(of, _)| of == name);
            found.unwrap_or_else(|| panic!("{name} is missing")).1.clone()
        };
        Self {
            container,
            address: variable(variables::JOB_MASTER),
            job: variable(variables::JOB).parse().expect("a job"),
            key: JobKey::from_hex(&variable(variables::JOB_KEY)).expect("a key"),
        }
    }

    /// Shakes hands as this peer.
    pub fn connect<T: Serialize>(&self, peer: Peer, introduction: T) -> (Line, Option<Admission>) {
        let mut line = Line::open(&self.address);
        let nonce = Nonce([5; 32]);
        let mut bytes = Vec::new();
        encode_preamble(&mut bytes);
        let hello = Hello { job: self.job, container: self.container, peer, nonce };
        encode_frame(&hello, &mut bytes).expect("short");
        line.stream.write_all(&bytes).expect("sent");
        let challenge: Challenge = line.receive("challenge").expect("an answer");
        let theirs = challenge.nonce;
        let proof = self.key.prove(&MAGIC, Side::Connector, nonce, theirs);
        line.send(&proof);
        let _ = line.try_send(&introduction);
        let admission = line.receive("admission");
        if matches!(admission, Some(Admission::Welcome { .. })) {
            let right = self.key.verify(&MAGIC, Side::Acceptor, nonce, theirs, &challenge.proof);
            assert!(right, "the job master does not hold the key");
        }
        (line, admission)
    }

    pub fn manager_introduction(&self) -> ManagerIntroduction {
        ManagerIntroduction { host: "127.0.0.1".to_owned(), pid: 41, slots: 1, memory_mib: 1024 }
    }

    pub fn host_introduction(&self, host: u32) -> HostIntroduction {
        let port = 10_000 + u16::try_from(self.container.sequence * 10).unwrap() + host as u16;
        HostIntroduction {
            pid: 42,
            data_address: ([127, 0, 0, 1], port).into(),
            fingerprint: Fingerprint::of(&submission::graph("sink")),
        }
    }
}

/// A task manager that is in.
pub struct Manager {
    pub inside: Inside,
    pub line: Line,
    pub epoch: LeaderEpoch,
}

impl Manager {
    /// The task manager of the `n`-th container that was started.
    #[track_caller]
    pub fn of(cluster: &Cluster, n: usize) -> Self {
        let (container, launch) = cluster.started(n);
        let inside = Inside::of(container, &launch);
        let (line, admission) = inside.connect(Peer::TaskManager, inside.manager_introduction());
        let Some(Admission::Welcome { epoch }) = admission else { panic!("{admission:?}") };
        Self { inside, line, epoch }
    }

    /// The next order.
    #[track_caller]
    pub fn order(&mut self) -> Option<ManagerOrder> {
        loop {
            let order: Order<ManagerOrder> = self.line.receive("order to a task manager")?;
            assert_eq!(order.epoch, self.epoch);
            if order.order != ManagerOrder::KeepAlive {
                return Some(order.order);
            }
        }
    }

    #[track_caller]
    pub fn host_launch(&mut self) -> HostLaunch {
        match self.order() {
            Some(ManagerOrder::StartHost(launch)) => *launch,
            other => panic!("{other:?}"),
        }
    }

    /// The task host that is ordered next.
    #[track_caller]
    pub fn host(&mut self) -> Host {
        let number = self.host_launch().host;
        self.line.send(&ManagerReport::HostStarted { host: number, pid: 42 });
        let introduction = self.inside.host_introduction(number);
        let (line, admission) = self.inside.connect(Peer::TaskHost(number), introduction);
        assert!(matches!(admission, Some(Admission::Welcome { .. })), "{admission:?}");
        Host { number, line, placement: Placement::default(), deployed: Vec::new() }
    }

    pub fn host_ended(&mut self, host: u32, code: &str, reason: &str) {
        let (code, reason) = (code.to_owned(), reason.to_owned());
        self.line.send(&ManagerReport::HostEnded(HostEnd { host, reason, code }));
    }
}

/// A task host that is in.
pub struct Host {
    pub number: u32,
    pub line: Line,
    pub placement: Placement,
    pub deployed: Vec<TaskDeployment>,
}

impl Host {
    #[track_caller]
    pub fn order(&mut self) -> Option<HostOrder> {
        loop {
            let order: Order<HostOrder> = self.line.receive("order to a task host")?;
            if order.order != HostOrder::KeepAlive {
                return Some(order.order);
            }
        }
    }

    /// Takes a placement and the deployments of one slot, which run then.
    #[track_caller]
    pub fn run(&mut self) -> ExecutionAttempt {
        self.deployed.clear();
        while self.deployed.len() < 2 {
            match self.order() {
                Some(HostOrder::Place(placement)) => self.placement = placement,
                Some(HostOrder::Deploy(deployment)) => self.deployed.push(*deployment),
                other => panic!("{other:?}"),
            }
        }
        self.report_all(&ReportKind::Running);
        self.deployed[0].attempt
    }

    pub fn report_all(&mut self, kind: &ReportKind) {
        let tasks: Vec<_> = self.deployed.iter().map(|d| (d.task, d.attempt)).collect();
        tasks.iter().for_each(|task| self.report(*task, kind.clone()));
    }

    pub fn report(&mut self, (task, attempt): (TaskId, ExecutionAttempt), kind: ReportKind) {
        self.line.send(&HostReport::Task(TaskReport { task, attempt, kind }));
    }

    /// Takes the order to stop each task, and stops it.
    #[track_caller]
    pub fn cancel(&mut self) {
        for _ in 0..self.deployed.len() {
            match self.order() {
                Some(HostOrder::Command { task, attempt, command: TaskCommand::Cancel }) => {
                    self.report((task, attempt), ReportKind::Canceled);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Takes the order to end the output, and ends.
    #[track_caller]
    pub fn obey_finish(&mut self) {
        match self.order() {
            Some(HostOrder::Command { command: TaskCommand::Finish, .. }) => {
                self.report_all(&ReportKind::Finished);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Answers the order to clear output away.
    #[track_caller]
    pub fn abandon_output(&mut self) {
        match self.order() {
            // An answer that is waited for no longer is as good.
            Some(HostOrder::AbandonOutput) => {
                let _ = self.line.try_send(&HostReport::Abandoned(Ok(())));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Two task managers with a task host each, ready.
#[track_caller]
pub fn two(cluster: &Cluster) -> [(Manager, Host); 2] {
    [0, 1].map(|n| {
        let mut manager = Manager::of(cluster, n);
        let host = manager.host();
        (manager, host)
    })
}
