//! `weir cluster start`: all or nothing, except that what already ran before stays.
//!
//! ```text
//! lock ─▶ record? ── all live ────────────────▶ refused
//!           │  └──── some died ─▶ those again, as recorded; first ends processes whose address is unknown
//!           └ none ─▶ new record
//!         ─▶ token ─▶ resource manager ready ─▶ node agents ready ─▶ all registered ─▶ printed
//! ```

use super::daemon::{self, Event, Starting};
use super::folder::Folder;
use super::folder_of;
use super::record::{NodeAgentRecord, Record};
use super::settings::Settings;
use super::stop::{end_containers, end_in_order, finish_stop};
use crate::flags::{Output, StartFlags};
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, Target};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::ffi::OsString;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use weir_protocol::rest::yarn::{NodeState, Nodes};
use weir_service::Secret;

/// How long nodes may take to register.
const REGISTERED_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at the nodes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Starts it, and tells where it is.
pub fn start(flags: StartFlags) -> Result<(), Problem> {
    let (settings, warnings) = Settings::of(&flags)?;
    for warning in &warnings {
        output::note(&format!("warning: {warning}"));
    }
    let folder = folder_of(&flags.data_dir)?;
    folder.create()?;
    let _lock = folder.lock()?;
    let (record, origin) = match Record::load(folder.path())? {
        Some(record) if record.all_live() => return Err(runs_already(&folder, &record)),
        Some(record) => {
            if is_other(&record, &settings) {
                output::note(&other_settings(&record, &settings));
            }
            (record, Origin::Found)
        }
        None => (Record::new(settings, now_ms()), Origin::Made),
    };
    let (events, received) = mpsc::channel();
    let _signals = report_signals(events.clone())?;
    let token = token(&folder)?;
    let start = Start { folder, record, origin, token, events, received, started: Vec::new() };
    let (start, restarted) = start.run()?;
    tell(&start, &restarted, flags.output.output)
}

/// Where the record comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// An earlier start left it.
    Found,
    /// This one made it.
    Made,
}

struct Start {
    folder: Folder,
    record: Record,
    origin: Origin,
    token: Secret,
    events: Sender<Event>,
    received: Receiver<Event>,
    /// Processes that this command started, to be stopped if it fails.
    started: Vec<Starting>,
}

impl Start {
    /// Starts what does not live; gives the names of daemons that had died.
    fn run(mut self) -> Result<(Self, Vec<String>), Problem> {
        let before = self.record.clone();
        let is_first = before.address.is_empty();
        match self.bring_up() {
            Ok(names) => Ok((self, if is_first { Vec::new() } else { names })),
            Err(problem) => {
                self.take_back(&before)?;
                Err(problem)
            }
        }
    }

    /// Leaves everything as it was before. A cluster of which all processes have died is still one: its
    /// containers may live, and the next start finds them with its record.
    fn take_back(&mut self, before: &Record) -> Result<(), Problem> {
        self.started.drain(..).rev().for_each(Starting::kill);
        if !before.was_started()
            // Whatever agents have launched is of this start.
            && let Err(left) = end_containers(&self.folder)
        {
            output::note(&left.to_string());
        }
        match self.origin {
            Origin::Made => Record::remove(&self.folder),
            Origin::Found => before.store(&self.folder),
        }
    }

    fn bring_up(&mut self) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        end_in_order(self.record.strays())?;
        if !self.record.resource_manager_is_up() {
            let lives = !self.record.living().is_empty();
            self.start_resource_manager()?;
            finish_stop(&self.folder, &self.remote()?, lives)?;
            names.push("resource-manager".to_owned());
        }
        names.extend(self.start_node_agents()?);
        self.wait_until_registered()?;
        Ok(names)
    }

    fn start_resource_manager(&mut self) -> Result<(), Problem> {
        let Settings { bind, config, storage_dir, .. } = &self.record.settings;
        // The others know it by its address.
        let is_recorded = !self.record.address.is_empty();
        let bind = if is_recorded { &self.record.address } else { bind };
        let mut words = self.words("resource-manager", &self.folder.resource_manager(), bind);
        words.extend(config_words(config.as_ref()));
        if storage_dir.is_none() {
            let storage = format!("weir.cluster.storage-dir={}", self.folder.storage().display());
            words.extend(["-D".into(), storage.into()]);
        }
        let starting = self.spawn("resource-manager", &words)?;
        self.record.resource_manager = Some(starting);
        self.record.store(&self.folder)?;
        let name = ["resource-manager".to_owned()];
        let ready = daemon::wait_until_ready(&self.folder, &name, &self.received);
        let ready = ready.map_err(|problem| match is_recorded {
            true => with_recorded_address(problem),
            false => problem,
        });
        self.record.address = ready?.concat();
        self.record.store(&self.folder)
    }

    fn start_node_agents(&mut self) -> Result<Vec<String>, Problem> {
        let missing = self.missing_agents();
        for place in &missing {
            let NodeAgentRecord { name, address, .. } = self.record.node_agents[*place].clone();
            let process = self.start_node_agent(&name, &address)?;
            self.record.node_agents[*place].process = Some(process);
            self.record.store(&self.folder)?;
        }
        let name_of = |place: &usize| self.record.node_agents[*place].name.clone();
        let names: Vec<_> = missing.iter().map(name_of).collect();
        let addresses = daemon::wait_until_ready(&self.folder, &names, &self.received);
        // A new one takes any free port, so the address of one in use was its address before.
        for (place, address) in missing.into_iter().zip(addresses.map_err(with_recorded_address)?) {
            self.record.node_agents[place].address = address;
        }
        self.record.store(&self.folder)?;
        Ok(names)
    }

    /// Places in the record of the agents to start; new ones are added to it.
    fn missing_agents(&mut self) -> Vec<usize> {
        let agents = &mut self.record.node_agents;
        for number in agents.len() + 1..=self.record.settings.node_agents as usize {
            let name = format!("node-agent-{number}");
            agents.push(NodeAgentRecord { name, address: String::new(), process: None });
        }
        (0..agents.len()).filter(|place| !agents[*place].is_up()).collect()
    }

    fn start_node_agent(
        &mut self,
        name: &str,
        address: &str,
    ) -> Result<weir_service::ProcessId, Problem> {
        let path = self.folder.create_node_agent(name)?;
        let free = format!("{}:0", self.record.settings.host());
        let bind = if address.is_empty() { &free } else { address };
        let mut words = self.words("node-agent", &path, bind);
        let Settings { node_memory_mib, node_vcores, config, .. } = &self.record.settings;
        words.extend(["--resource-manager".into(), self.record.address.clone().into()]);
        words.extend(config_words(config.as_ref()));
        for setting in [
            format!("yarn.nodemanager.resource.memory-mb={node_memory_mib}"),
            format!("yarn.nodemanager.resource.cpu-vcores={node_vcores}"),
        ] {
            words.extend(["-D".into(), setting.into()]);
        }
        self.spawn(name, &words)
    }

    fn words(&self, action: &str, path: &std::path::Path, bind: &str) -> Vec<OsString> {
        let token = self.folder.token();
        vec![
            action.into(),
            "--data-dir".into(),
            path.into(),
            "--token-file".into(),
            token.into(),
            "--bind".into(),
            bind.into(),
        ]
    }

    fn spawn(
        &mut self,
        name: &str,
        words: &[OsString],
    ) -> Result<weir_service::ProcessId, Problem> {
        let starting = Starting::spawn(&self.folder, name, words, &self.events)?;
        let process = starting.process;
        self.started.push(starting);
        Ok(process)
    }

    fn wait_until_registered(&self) -> Result<(), Problem> {
        let deadline = Instant::now() + REGISTERED_WITHIN;
        let remote = self.remote()?;
        loop {
            let nodes: Nodes = remote.get(&format!("{CLUSTER}/nodes"))?;
            let is_in = |agent: &NodeAgentRecord| {
                let mut nodes = nodes.nodes.node.iter();
                nodes.any(|node| node.id.0 == agent.address && node.state == NodeState::Running)
            };
            let Some(missing) = self.record.node_agents.iter().find(|agent| !is_in(agent)) else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let seconds = REGISTERED_WITHIN.as_secs();
                let what = format!(
                    "{} at {} is not registered after {seconds} s",
                    missing.name, missing.address
                );
                let help = format!("see {}", self.folder.log(&missing.name).display());
                return Err(Problem::failure("WEIR-CLUSTER-0005", what).help(help));
            }
            match self.received.recv_timeout(LOOK_AGAIN) {
                Ok(Event::Interrupted(signal)) => return Err(daemon::interrupted(signal)),
                Ok(Event::Said(..)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK_AGAIN),
            }
        }
    }

    fn remote(&self) -> Result<Remote, Problem> {
        Remote::new(Target {
            address: self.record.address.clone(),
            token: Some(self.token.bearer()),
            token_origin: format!("in {}", self.folder.token().display()),
        })
    }
}

/// `--port` does not help against another program at an address by which a daemon is known already.
fn with_recorded_address(problem: Problem) -> Problem {
    match problem.code.as_deref() {
        Some("WEIR-CLUSTER-0001") => problem.help(
            "the rest of the cluster knows it by this address: end the process that listens there \
             (`ss -ltnp` shows it) and start again, or give up the cluster with its jobs by \
             `weir cluster stop` and start another",
        ),
        _ => problem,
    }
}

fn config_words(config: Option<&std::path::PathBuf>) -> Vec<OsString> {
    config.map_or_else(Vec::new, |file| vec!["--config".into(), file.into()])
}

/// That of an earlier cluster of the folder, else a new one.
fn token(folder: &Folder) -> Result<Secret, Problem> {
    let path = folder.token();
    let token = if path.exists() { Secret::load(&path) } else { Secret::create(&path) };
    token.map_err(|error| {
        Problem::failure(error.code(), crate::problem::with_causes(&error)).help(format!(
            "or remove {}, so that a new one is made when nothing runs there",
            path.display()
        ))
    })
}

fn report_signals(events: Sender<Event>) -> Result<Reports, Problem> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Problem::system("cannot wait for signals", &error))?;
    let reports = Reports(signals.handle());
    thread::spawn(move || {
        for signal in signals.forever() {
            if events.send(Event::Interrupted(signal)).is_err() {
                return;
            }
        }
    });
    Ok(reports)
}

struct Reports(Handle);

impl Drop for Reports {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn runs_already(folder: &Folder, record: &Record) -> Problem {
    let (path, address) = (folder.path().display(), &record.address);
    let what = format!("a cluster already runs with the data folder {path}, at http://{address}/");
    Problem::failure("WEIR-CLUSTER-0002", what).help(
        "use it, stop it with `weir cluster stop`, or start another with --data-dir and --port 0",
    )
}

/// Whether settings were asked for that are not the recorded ones; a flag that was not given is what
/// it always is, so this only catches real wishes.
fn is_other(record: &Record, asked: &Settings) -> bool {
    record.settings != *asked && *asked != Settings::default()
}

fn other_settings(record: &Record, asked: &Settings) -> String {
    let told = |settings: &Settings| {
        let Settings { node_agents, node_memory_mib, node_vcores, bind, .. } = settings;
        format!(
            "{node_agents} node agents of {node_memory_mib} MiB and {node_vcores} vcores, {bind}"
        )
    };
    format!(
        "warning: the cluster goes on as it was started ({}) and not as asked now ({}); for that, \
         stop it first",
        told(&record.settings),
        told(asked)
    )
}

/// The output of `--output json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Started<'a> {
    address: &'a str,
    web_address: String,
    data_dir: String,
    token_file: String,
    node_agents: Vec<&'a str>,
    restarted: &'a [String],
}

fn tell(start: &Start, restarted: &[String], form: Output) -> Result<(), Problem> {
    let Start { folder, record, token, .. } = start;
    let web_address = format!("http://{}/#token={}", record.address, token.bearer());
    if form == Output::Json {
        return output::print_json(&Started {
            address: &record.address,
            web_address,
            data_dir: folder.path().display().to_string(),
            token_file: folder.token().display().to_string(),
            node_agents: record.node_agents.iter().map(|agent| agent.address.as_str()).collect(),
            restarted,
        });
    }
    let is_default = crate::remote::default_data_dir()
        .is_ok_and(|default| std::path::absolute(default).is_ok_and(|path| path == folder.path()));
    output::print(&told(start, restarted, &web_address, is_default))
}

fn told(start: &Start, restarted: &[String], web_address: &str, is_default: bool) -> String {
    let Start { folder, record, .. } = start;
    let Settings { node_agents, node_memory_mib, node_vcores, .. } = &record.settings;
    let plural = if *node_agents == 1 { "" } else { "s" };
    let head = match restarted {
        [] => format!("The cluster is up: {node_agents} node{plural}"),
        names => format!(
            "Started again: {}. The cluster is up: {node_agents} node{plural}",
            names.join(", ")
        ),
    };
    let path = folder.path().display();
    let (cluster, data_dir) = match is_default {
        true => (String::new(), String::new()),
        false => (
            format!(" --cluster {} --token-file {}", record.address, folder.token().display()),
            format!(" --data-dir {path}"),
        ),
    };
    format!(
        "{head} of {node_memory_mib} MiB and {node_vcores} vcores.\n\n\
         Web:     {web_address}\n\
         Submit:  weir run -t per-job{cluster} EXECUTABLE [ARGS]...\n\
         Look:    weir list{cluster}\n\
         Stop:    weir cluster stop{data_dir}\n\
         Data:    {path}\n"
    )
}
