//! The job master of the tests: accepts one task manager, gives it orders, reads its reports.

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use weir_base::{ContainerId, JobId, LeaderEpoch};
use weir_protocol::{
    challenge::{JobKey, Nonce, Proof, Side},
    control::{
        Admission, Challenge, FrameReader, Hello, HostEnd, HostLaunch, MAGIC, MAX_MESSAGE_BYTES,
        ManagerIntroduction, ManagerOrder, ManagerReport, Order, Peer, decode_body, encode_frame,
        encode_preamble,
    },
};
use weir_task_manager::{Result, Settings};

const PATIENCE: Duration = Duration::from_secs(20);
const EPOCH: LeaderEpoch = LeaderEpoch(4);
const NONCE: Nonce = Nonce([5; 32]);

/// Waits for a condition that must come.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn key() -> JobKey {
    JobKey::new([1; 32])
}

/// Settings of a task manager of this job master.
pub fn settings(folder: &Path, job_master: &str) -> Settings {
    Settings {
        folder: folder.to_owned(),
        job_master: job_master.to_owned(),
        job: JobId::of_text("a job"),
        key: key(),
        container: ContainerId::default(),
        node_host: "127.0.0.1".to_owned(),
        slots: 2,
        memory_mib: 1024,
        heartbeat_timeout: PATIENCE,
    }
}

pub struct JobMaster {
    listener: TcpListener,
    folder: TempDir,
}

impl JobMaster {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self { listener, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Starts a task manager on a thread besides.
    pub fn with_manager() -> (Self, JoinHandle<Result<()>>) {
        let master = Self::new();
        let settings = settings(master.folder(), &master.address());
        let manager = thread::spawn(move || weir_task_manager::run_with(&settings));
        (master, manager)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().expect("bound").to_string()
    }

    pub fn job(&self) -> JobId {
        JobId::of_text("a job")
    }

    /// A number that a host writes into a file, once it is there.
    pub fn read_number(&self, file: &str) -> u32 {
        let read = || fs::read_to_string(self.folder().join(file)).ok()?.trim().parse().ok();
        wait_until(file, || read().is_some());
        read().expect("just seen")
    }

    fn accept(&self) -> (TcpStream, FrameReader) {
        let (stream, _) = self.listener.accept().expect("a task manager");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        (stream, FrameReader::new(MAX_MESSAGE_BYTES))
    }

    /// Answers whatever comes with these bytes, and waits for the task manager to hang up.
    pub fn answer(&self, bytes: &[u8]) {
        let (mut stream, _) = self.accept();
        stream.write_all(bytes).expect("sent");
        let _ = stream.read_to_end(&mut Vec::new());
    }

    /// Challenges with another key.
    pub fn challenge_with(&self, key: &JobKey) {
        let (mut stream, mut frames) = self.accept();
        challenge(&mut stream, &mut frames, key);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "the task manager went on with a stranger");
    }

    pub fn refuse(&self, code: &str, message: &str) {
        let (mut stream, mut frames) = self.accept();
        challenge(&mut stream, &mut frames, &key());
        let _: Proof = next(&mut stream, &mut frames);
        let _: ManagerIntroduction = next(&mut stream, &mut frames);
        let refused = Admission::Refused { code: code.to_owned(), message: message.to_owned() };
        send(&mut stream, &refused);
    }

    /// Lets the task manager in.
    pub fn admit(&self) -> Connected {
        let (mut stream, mut frames) = self.accept();
        let hello = challenge(&mut stream, &mut frames, &key());
        assert_eq!((hello.job, hello.peer), (self.job(), Peer::TaskManager));
        let proof: Proof = next(&mut stream, &mut frames);
        let introduction = next(&mut stream, &mut frames);
        assert!(key().verify(&MAGIC, Side::Connector, hello.nonce, NONCE, &proof));
        send(&mut stream, &Admission::Welcome { epoch: EPOCH });
        let folder = self.folder().to_owned();
        Connected { introduction, stream, frames, folder }
    }
}

fn challenge(stream: &mut TcpStream, frames: &mut FrameReader, key: &JobKey) -> Hello {
    let mut bytes = Vec::new();
    encode_preamble(&mut bytes);
    stream.write_all(&bytes).expect("sent");
    let hello: Hello = next(stream, frames);
    let proof = key.prove(&MAGIC, Side::Acceptor, hello.nonce, NONCE);
    send(stream, &Challenge { nonce: NONCE, proof });
    hello
}

fn send<T: serde::Serialize>(stream: &mut TcpStream, message: &T) {
    let mut bytes = Vec::new();
    encode_frame(message, &mut bytes).expect("fits");
    stream.write_all(&bytes).expect("sent");
}

fn next<T: serde::de::DeserializeOwned>(stream: &mut TcpStream, frames: &mut FrameReader) -> T {
    let mut buffer = [0; 4096];
    loop {
        if let Some(body) = frames.next_body().expect("sound") {
            return decode_body("message", &body).expect("sound");
        }
        match stream.read(&mut buffer) {
            Ok(0) => panic!("the task manager hung up"),
            Ok(read_bytes) => frames.extend(&buffer[..read_bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => panic!("nothing comes: {error}"),
        }
    }
}

/// A task manager that was let in.
pub struct Connected {
    pub introduction: ManagerIntroduction,
    stream: TcpStream,
    frames: FrameReader,
    folder: std::path::PathBuf,
}

impl Connected {
    pub fn order(&mut self, order: ManagerOrder) {
        self.order_as(EPOCH, order);
    }

    pub fn order_as(&mut self, epoch: LeaderEpoch, order: ManagerOrder) {
        send(&mut self.stream, &Order { epoch, order });
    }

    /// Orders a host that is this shell script; `$1` is the file `out`.
    pub fn start_host(&mut self, host: u32, script: &str) {
        let name = format!("host-{host}");
        // No file is written that is run: a process that another test starts at this moment would hold it
        // open, and it would be refused as busy.
        std::os::unix::fs::symlink("/bin/sh", self.folder.join(&name)).expect("linked");
        let out = self.folder.join("out");
        self.start(host, &name, &["-c", script, &name, out.to_str().expect("text")]);
    }

    pub fn start_executable(&mut self, host: u32, executable: &str) {
        self.start(host, executable, &[]);
    }

    fn start(&mut self, host: u32, executable: &str, arguments: &[&str]) {
        let launch = HostLaunch {
            host,
            executable: executable.to_owned(),
            arguments: arguments.iter().map(|one| one.as_bytes().to_vec()).collect(),
            working_directory: "/no/such/folder".to_owned(),
            configuration: "{}".to_owned(),
            launch_configuration: "{}".to_owned(),
            once_values: Vec::new(),
            ordinal: 0,
            earlier: Vec::new(),
            memory_limit_mib: 32,
        };
        self.order(ManagerOrder::StartHost(Box::new(launch)));
    }

    /// The next report that is none of memory.
    pub fn report(&mut self) -> ManagerReport {
        loop {
            let report = next(&mut self.stream, &mut self.frames);
            if !matches!(report, ManagerReport::Memory { .. }) {
                return report;
            }
        }
    }

    /// The end of a host, past other reports.
    pub fn host_end(&mut self) -> HostEnd {
        loop {
            if let ManagerReport::HostEnded(end) = self.report() {
                return end;
            }
        }
    }
}
