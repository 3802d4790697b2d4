//! How this program was started: by hand, by `weir`, or embedded in a test.
//!
//! The launch variables are read and removed by the first environment of the process; programs
//! that this one starts do not see them.

use crate::{
    error::{Error, Result},
    local::JobClient,
    plan::{Built, json::plan_json},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::fd::FromRawFd,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};
use weir_base::JobId;
use weir_config::{Config, ConfigBuilder};
use weir_coordination::plan::plan;
use weir_graph::Fingerprint;
use weir_protocol::job_executable::{
    JobMessage, Launch, PROTOCOL, Role, VARIABLES, read_once_values, write_message,
};

/// What a program knows of its start. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Launched {
    launch: Arc<Launch>,
    parent: Option<Arc<Mutex<File>>>,
    expected: Arc<BTreeMap<String, Vec<u8>>>,
    /// Whether people watch: lines, progress and signals belong to a program, not to a library.
    interactive: bool,
}

impl Launched {
    /// A start that shows nothing and listens to nobody.
    pub fn embedded() -> Self {
        Self { launch: Arc::default(), parent: None, expected: Arc::default(), interactive: false }
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
                let (config, warnings) = ConfigBuilder::new().env(std::env::vars_os()).build()?;
                warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
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
        let expected = match &launch.expected {
            Some(path) => {
                let mut file =
                    File::open(path).map_err(weir_protocol::job_executable::Error::Pipe)?;
                read_once_values(&mut file)?
            }
            None => BTreeMap::new(),
        };
        let parent = launch.parent_fd.map(|fd| Arc::new(Mutex::new(inherited(fd))));
        if let Some(fd) = launch.lifeline_fd {
            end_with_parent(inherited(fd));
        }
        let launched = Self {
            launch: Arc::new(launch),
            parent,
            expected: Arc::new(expected),
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

    /// Whether progress and signals are this program's business.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Whether Flink's lines go to standard output.
    pub fn prints_lines(&self) -> bool {
        self.interactive && !self.launch.quiet
    }

    /// The recorded value of an `env.once`.
    pub fn expected(&self, name: &str) -> Option<Vec<u8>> {
        self.expected.get(name).cloned()
    }

    /// Sends a message to whoever started this program. A parent that is gone is not an error
    /// here: the lifeline handles that.
    pub fn tell(&self, message: &JobMessage) {
        if let Some(parent) = &self.parent {
            let mut pipe = parent.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = write_message(&mut *pipe, message);
        }
    }

    pub fn report_failure(&self, job: Option<JobId>, error: &Error) {
        self.tell(&JobMessage::Failed {
            job,
            code: error.code().to_owned(),
            message: error.to_string(),
        });
    }

    /// Role client: hands the graph over and ends the process.
    pub fn hand_over(&self, ordinal: u32, built: &Built) -> Result<JobClient> {
        let chained = plan(&built.graph)?;
        self.tell(&JobMessage::Graph {
            ordinal,
            stream_graph: Box::new(built.graph.clone()),
            fingerprint: Fingerprint::of(&built.graph),
            plan_json: plan_json(&built.graph, &chained),
        });
        std::process::exit(0);
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

/// Ends with the parent.
fn end_with_parent(mut lifeline: File) {
    let watch = move || {
        let mut byte = [0];
        while matches!(lifeline.read(&mut byte), Ok(1)) {}
        eprintln!("the program that started this job is gone");
        crate::local::signals::parent_is_gone();
    };
    // Without the thread the job outlives its parent, which is better than not running at all.
    let _ = thread::Builder::new().name("lifeline".to_owned()).spawn(watch);
}
