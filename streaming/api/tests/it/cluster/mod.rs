//! Programs in the roles of a cluster: real processes, with the test as their parent, their task manager
//! and their job master.
//!
//! The processes are this test binary, started again to run only [`program`].

mod client;
mod job_master;
mod task_host;

use crate::{
    paced::PacedLines,
    support::{Folder, as_line, config, count, text},
};
use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Write},
    os::{fd::AsRawFd, fd::RawFd, unix::process::CommandExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};
use weir::{Config, Error, StreamExecutionEnvironment};
use weir_protocol::job_executable::{Launch, VARIABLES};

const FOLDER: &str = "WEIR_TEST_FOLDER";
/// A file in the folder: while it is there, the job that counts does not end.
const HOLD: &str = "hold";
/// A file in the folder that gets a line whenever a job is submitted.
const SUBMITTED: &str = "submitted";
/// Where the code of the program wants checkpoints.
const FOLDER_IN_CODE: &str = "/nowhere/checkpoints";
/// Behaviour of `main`: a word of [`program`].
const PLOT: &str = "WEIR_TEST_PLOT";

fn lines() -> Vec<String> {
    text(17, 2_400)
}

/// Environment of every process.
fn configuration() -> Config {
    config([
        ("parallelism.default", "2".to_owned()),
        ("execution.checkpointing.interval", "10 ms".to_owned()),
        ("execution.buffer-timeout.interval", "1 ms".to_owned()),
        ("pipeline.max-parallelism", "16".to_owned()),
    ])
}

#[test]
#[ignore = "the other tests start it in processes of their own"]
fn program() {
    let folder = std::env::var_os(FOLDER).expect("started by a test here");
    let plot = std::env::var(PLOT).expect("started by a test here");
    let env = StreamExecutionEnvironment::new().expect("a sound launch");
    let shown: Vec<_> = std::env::vars().filter(|(name, _)| VARIABLES.contains(&&**name)).collect();
    assert_eq!(shown, [], "what a launch says is not for user code");
    // An app master makes a folder of its node of it; task hosts use that one.
    env.configure("execution.checkpointing.dir", FOLDER_IN_CODE);
    // Differs between processes, unless it is that of the first.
    let salt = env.once("salt", std::process::id).expect("a number");
    let submitted = Path::new(&folder).join(SUBMITTED);
    env.on_submit(move || {
        Ok(writeln!(File::options().create(true).append(true).open(submitted)?)?)
    });
    match plot.as_str() {
        "count" => {}
        "two jobs" => {
            // Another environment makes no difference.
            let env = StreamExecutionEnvironment::new().expect("a sound launch");
            env.configure("execution.checkpointing.dir", FOLDER_IN_CODE);
            env.sequence(1, 10).discard();
            let first = env.execute("first").expect("it finishes");
            println!("first: {} in {} ms", first.name, first.runtime.as_millis());
        }
        "panics" => {
            env.sequence(1, 1000).map(|n| assert_ne!(n, 500, "no luck")).name("Picky").discard();
            unreachable!("{:?}", env.execute("panics"));
        }
        "another graph" => {
            env.sequence(1, u64::from(std::process::id())).discard();
        }
        "async" => {
            env.sequence(1, 10).discard();
            let job = env.execute_async("async").expect("it is accepted");
            println!("accepted: {} {:?}", job.job_id(), job.status().status);
            job.cancel();
            assert!(matches!(job.wait(), Err(Error::JobCanceled)));
            return;
        }
        other => panic!("no plot {other}"),
    }
    describe_count(&env, folder.as_ref(), salt);
    match env.execute("count") {
        Ok(result) => println!("count: {} operators", result.operators.len()),
        Err(error) => println!("count: {error:?}"),
    }
}

/// Counts words, each with the salt behind it.
fn describe_count(env: &StreamExecutionEnvironment, folder: &Path, salt: u32) {
    let lines = lines().into_iter().map(|line| {
        line.split_whitespace().map(|word| format!("{word}-{salt}")).collect::<Vec<_>>().join(" ")
    });
    count(env.from_source(PacedLines::new(lines.collect()).held_while(folder.join(HOLD))))
        .write_as_text_with(folder.join("counts"), as_line);
}

/// A process; killed when dropped.
struct Process {
    child: Child,
    /// Dropping it tells the process that its parent has ended.
    lifeline: Option<PipeWriter>,
    /// Its messages.
    messages: PipeReader,
    answers: PipeWriter,
}

impl Process {
    /// Starts [`program`]; its descriptors are added to the launch as `pipes` says.
    fn start(folder: &Folder, plot: &str, launch: Launch, pipes: Pipes) -> Self {
        let (messages, messages_end) = io::pipe().expect("a pipe");
        let (answers_end, answers) = io::pipe().expect("a pipe");
        let (lifeline_end, lifeline) = io::pipe().expect("a pipe");
        let client = (pipes != Pipes::Lifeline).then(|| messages_end.as_raw_fd());
        let waits = (pipes == Pipes::Answers).then(|| answers_end.as_raw_fd());
        let lifeline_fd = Some(lifeline_end.as_raw_fd());
        let launch = Launch { parent_fd: client, answer_fd: waits, lifeline_fd, ..launch };
        let inherited = [client, waits, lifeline_fd];
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command
            .args(["--exact", "cluster::program", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path(""))
            .env(PLOT, plot)
            .envs(launch.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: only fcntl is called between fork and exec, on descriptors that are open.
        unsafe {
            command.pre_exec(move || inherited.into_iter().flatten().try_for_each(keep_on_exec))
        };
        let child = command.spawn().expect("it starts");
        Self { child, lifeline: Some(lifeline), messages, answers }
    }

    /// Waits for its end; gives also what it printed and complained about.
    fn end(&mut self) -> (ExitStatus, String, String) {
        let [mut printed, mut complaint] = [(); 2].map(|()| String::new());
        let mut stdout = self.child.stdout.take().expect("not taken yet");
        let mut stderr = self.child.stderr.take().expect("not taken yet");
        io::Read::read_to_string(&mut stdout, &mut printed).expect("UTF-8");
        io::Read::read_to_string(&mut stderr, &mut complaint).expect("UTF-8");
        (self.child.wait().expect("ours"), printed, complaint)
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The pipes of a process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pipes {
    /// Only the lifeline, as a task host.
    Lifeline,
    /// It tells, and is not answered.
    Messages,
    /// It tells, and waits for answers.
    Answers,
}

fn keep_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: touches no memory.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
