//! How this program was started: by hand, by `weir`, or embedded in a test.
//!
//! The launch variables are read and removed by the first environment of the process; programs
//! that this one starts do not see them.

use crate::{
    error::{Error, Result},
    local::millis,
    remote::Answers,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read, Write},
    os::fd::FromRawFd,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};
use weir_base::JobId;
use weir_config::{
    Config, ConfigBuilder, Warning,
    keys::{self, ExecutionTarget},
};
use weir_protocol::{
    cluster::RecordedResult,
    job_executable::{
        self as protocol, JobMessage, Launch, PROTOCOL, Role, TaskLaunch, VARIABLES,
        read_earlier_results, read_once_values, write_message,
    },
};

/// What a program knows of its start. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Launched {
    launch: Arc<Launch>,
    parent: Option<Arc<Mutex<File>>>,
    /// What the parent answers, in role client.
    answers: Option<Arc<Answers>>,
    expected: Arc<BTreeMap<String, Vec<u8>>>,
    /// Values of `env.once` so far, and the number of jobs: those of the process, so that several
    /// environments in one `main` make no difference.
    once: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    executions: Arc<AtomicU32>,
    /// Results of the jobs before the one that this task host belongs to.
    earlier: Arc<[RecordedResult]>,
    /// Whether people watch: lines, progress and signals belong to a program, not to a library.
    interactive: bool,
}

impl Launched {
    /// A start without progress and without a parent.
    pub fn embedded() -> Self {
        Self {
            launch: Arc::default(),
            parent: None,
            answers: None,
            expected: Arc::default(),
            once: Arc::default(),
            executions: Arc::default(),
            earlier: Arc::default(),
            interactive: false,
        }
    }

    /// The start of this process, and the configuration that goes with it.
    pub fn of_process() -> Result<(Self, Config)> {
        static PROCESS: OnceLock<Launched> = OnceLock::new();
        let launched = match PROCESS.get() {
            Some(launched) => launched.clone(),
            None => PROCESS
                .get_or_init({
                    let launched = Self::take_variables()?;
                    move || launched
                })
                .clone(),
        };
        let config = match &launched.launch.configuration {
            Some(json) => Config::from_json(json)?,
            None => {
                let (config, warnings) = configuration_by_hand(std::env::vars_os())?;
                warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
                config
            }
        };
        Ok((launched, config))
    }

    fn take_variables() -> Result<Self> {
        let launch = Launch::from_variables(|name| std::env::var_os(name))?;
        for name in VARIABLES {
            // SAFETY: the first environment is made at the start of `main`; a program that changes
            // or reads variables on other threads before that has been told not to by std.
            unsafe { std::env::remove_var(name) };
        }
        if let Some(fd) = launch.lifeline_fd {
            end_with_parent(inherited(fd), launch.role);
        }
        let open = |path| File::open(path).map_err(protocol::Error::Pipe);
        let expected = match &launch.expected {
            Some(path) => read_once_values(&mut open(path)?)?,
            None => BTreeMap::new(),
        };
        let earlier = match launch.task.as_ref().and_then(|task| task.earlier.as_ref()) {
            Some(path) => read_earlier_results(&mut open(path)?)?,
            None => Vec::new(),
        };
        let parent = launch.parent_fd.map(|fd| Arc::new(Mutex::new(inherited(fd))));
        let answers = launch.answer_fd.map(|fd| Answers::listen(inherited(fd))).transpose()?;
        let launched = Self {
            launch: Arc::new(launch),
            parent,
            answers,
            expected: Arc::new(expected),
            once: Arc::default(),
            executions: Arc::default(),
            earlier: earlier.into(),
            interactive: true,
        };
        launched.tell(&JobMessage::Hello {
            protocol: PROTOCOL,
            weir_version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        Ok(launched)
    }

    pub fn role(&self) -> Role {
        self.launch.role
    }

    /// Which task host this is, in role task.
    pub fn task(&self) -> Option<&TaskLaunch> {
        self.launch.task.as_ref()
    }

    /// How an earlier job of this `main` has ended, in role task.
    pub fn earlier(&self, ordinal: u32) -> Option<&RecordedResult> {
        self.earlier.get(ordinal as usize)
    }

    /// What the parent answers, in role client; `None` where it only wants to see the graph.
    pub fn answers(&self) -> Option<&Arc<Answers>> {
        self.answers.as_ref()
    }

    /// Whether progress and signals are this program's business.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Whether Flink's lines go to standard output.
    pub fn prints_lines(&self) -> bool {
        self.interactive && !self.launch.quiet
    }

    /// The recorded value of an `env.once`: of an earlier run of this `main`, or of this one.
    pub fn recorded(&self, name: &str) -> Option<Vec<u8>> {
        self.expected.get(name).or(self.once().get(name)).cloned()
    }

    /// Records the value of an `env.once`.
    pub fn record(&self, name: &str, bytes: Vec<u8>) {
        self.once().insert(name.to_owned(), bytes);
    }

    /// Every value of this run.
    pub fn all_recorded(&self) -> BTreeMap<String, Vec<u8>> {
        self.once().clone()
    }

    fn once(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.once.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers the jobs of this `main`, from 0.
    pub fn next_ordinal(&self) -> u32 {
        self.executions.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a message to the parent of this program. A parent that has ended is not an error
    /// here: the lifeline handles that.
    pub fn tell(&self, message: &JobMessage) {
        let _ = self.try_tell(message);
    }

    /// The same; an error is that of the pipe, or that the message is too large.
    pub fn try_tell(&self, message: &JobMessage) -> Result<(), protocol::Error> {
        let Some(parent) = &self.parent else { return Ok(()) };
        let mut pipe = parent.lock().unwrap_or_else(PoisonError::into_inner);
        write_message(&mut *pipe, message)
    }

    /// Of a job that has begun, with its run time.
    pub fn report_failure(&self, job: Option<(JobId, Duration)>, error: &Error) {
        self.tell(&JobMessage::Failed {
            job: job.map(|(job, _)| job),
            code: error.code().to_owned(),
            message: error.to_string(),
            runtime_ms: job.map(|(_, runtime)| millis(runtime)),
        });
    }
}

/// The configuration of a program that was started by hand.
fn configuration_by_hand<V: Into<OsString>>(
    variables: impl IntoIterator<Item = (V, V)>,
) -> Result<(Config, Vec<Warning>)> {
    let (config, warnings) = ConfigBuilder::new().env(variables).build()?;
    check_runs_here(&config)?;
    Ok((config, warnings))
}

/// A program that was started by hand has no client that could submit its jobs to a cluster. Running
/// them here in spite of the setting could read and write the wrong files.
fn check_runs_here(config: &Config) -> Result<()> {
    match config.get(&keys::EXECUTION_TARGET) {
        ExecutionTarget::Local => Ok(()),
        ExecutionTarget::PerJob => Err(Error::Operator {
            code: "WEIR-RUN-0011",
            message: format!(
                "execution.target is per-job ({}), but a program that is started by hand runs its jobs \
                 in its own process: start it with `weir run` to run them on the cluster, or set \
                 WEIR_CONF_EXECUTION_TARGET=local to run them here",
                config.origin(&keys::EXECUTION_TARGET)
            ),
        }),
    }
}

fn inherited(fd: i32) -> File {
    // SAFETY: the parent made this descriptor for this program, and named it in a variable that
    // has just been removed, so nothing else owns it. Closing on exec keeps it from grandchildren.
    unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        File::from_raw_fd(fd)
    }
}

/// Writes a line to standard error, if it is open: `eprintln!` panics otherwise, and the
/// thread would not get to what it has to do next.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes the time (UTC, in milliseconds) and a line to standard error: the log of a task host.
pub(crate) fn log_line(line: &str) {
    say(&format!("{} {line}", humantime::format_rfc3339_millis(SystemTime::now())));
}

/// Prints a line to standard output, if it is open (`job | head -1` closes it): `println!` panics
/// otherwise.
pub(crate) fn print_line(line: &str) {
    weir_terminal::above(|| {
        let _ = writeln!(io::stdout(), "{line}");
    });
}

/// Ends with the parent.
fn end_with_parent(mut lifeline: File, role: Role) {
    let tell = move || match role {
        Role::Local | Role::Client => {
            say("the program that started this job has exited, or has asked this job to end");
        }
        Role::Task => log_line("the task manager has asked this task host to end, or has exited"),
    };
    let watch = move || {
        let mut byte = [0];
        while matches!(lifeline.read(&mut byte), Ok(1)) {}
        tell();
        crate::local::signals::parent_is_gone();
    };
    // Without the thread the job outlives its parent, which is better than not running at all.
    let _ = thread::Builder::new().name("lifeline".to_owned()).spawn(watch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn program_started_by_hand_is_refused_if_its_jobs_are_meant_for_a_cluster() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8");
        let file = folder.path().join("weir.yaml");
        let by_hand = |target: &str, variable: &str| {
            fs::write(&file, format!("parallelism.default: 2\nexecution.target: {target}\n"))
                .expect("it is written");
            let variables = [("WEIR_CONF_DIR", path), ("WEIR_CONF_EXECUTION_TARGET", variable)];
            configuration_by_hand(variables.into_iter().filter(|(_, value)| !value.is_empty()))
        };
        for (target, variable, place) in [
            ("per-job", "", format!("{}:2", file.display())),
            ("local", "per-job", "environment variable WEIR_CONF_EXECUTION_TARGET".to_owned()),
        ] {
            let error = by_hand(target, variable).expect_err("it would run here");
            assert_eq!(error.code(), "WEIR-RUN-0011");
            let text = error.to_string();
            for part in [&*format!("execution.target is per-job ({place})"), "weir run"] {
                assert!(text.contains(part), "{part:?} is missing in: {text}");
            }
        }
        for (target, variable) in [("local", ""), ("per-job", "local")] {
            let (config, _) = by_hand(target, variable).expect("it runs here");
            assert_eq!(config.get(&keys::PARALLELISM_DEFAULT), 2);
        }
    }
}
