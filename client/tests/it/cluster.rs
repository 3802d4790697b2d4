//! A real cluster on this machine: every daemon, every process. Few tests, each with its own cluster
//! that is stopped whatever happens.

use crate::fixture::{Ended, Folder, spawn};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use weir_service::ProcessId;

const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster on its own folder; stopped when dropped.
pub struct Cluster {
    pub folder: Folder,
}

impl Cluster {
    pub fn start(node_agents: u32) -> Self {
        let cluster = Self { folder: Folder::new() };
        let agents = node_agents.to_string();
        let mut start = cluster.command(&["cluster", "start", "--node-agents", &agents]);
        start.env("WEIR_CONF_YARN_RESOURCEMANAGER_WEBAPP_ADDRESS", address_of_its_own());
        let ended = Ended::of(cluster.folder.start(&mut start));
        ended.succeeds();
        assert!(ended.stdout.contains("The cluster is up"), "{ended:#?}");
        cluster
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(arguments);
        command.env("WEIR_DATA_DIR", self.data_dir());
        command
    }

    pub fn weir(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.folder.start(&mut self.command(arguments)))
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path("data")
    }

    fn record(&self) -> Value {
        let text =
            fs::read_to_string(self.data_dir().join("cluster.json")).expect("it was started");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The daemons as recorded.
    pub fn daemons(&self) -> Vec<ProcessId> {
        let record = self.record();
        let agents = record["node_agents"].as_array().cloned().unwrap_or_default();
        let all = std::iter::once(record["resource_manager"].clone()).chain(agents);
        all.map(|daemon| serde_json::from_value(daemon).expect("a process")).collect()
    }

    /// Processes that work in the folder of the cluster: daemons, shims, containers.
    pub fn processes(&self) -> Vec<u32> {
        let folder = self.data_dir().canonicalize().unwrap_or_else(|_| self.data_dir());
        let here = |pid: &u32| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder))
        };
        weir_service::process::all_pids().into_iter().filter(here).collect()
    }

    #[track_caller]
    pub fn wait_until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < end, "{what} does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = self.weir(&["cluster", "stop"]);
        let left = self.processes();
        if !std::thread::panicking() {
            assert_eq!(stopped.code, Some(0), "{stopped:#?}");
            assert_eq!(left, [0u32; 0], "processes are left");
        }
    }
}

/// Any port of an address that no other cluster listens at: nothing takes the port of a daemon that was
/// killed before it is started again.
fn address_of_its_own() -> String {
    static TAKEN: AtomicU8 = AtomicU8::new(1);
    format!("127.0.2.{}:0", TAKEN.fetch_add(1, Ordering::Relaxed))
}

/// An example job, built in the profile of the tests.
pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--profile", "test", "-p", "weir-examples", "--bins"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        let status = spawn(&mut build).wait();
        assert!(status.expect("ours").success(), "the examples do not build");
    });
    let beside = Path::new(env!("CARGO_BIN_EXE_weir")).parent().expect("in a folder").join(name);
    assert!(beside.exists(), "{} is missing", beside.display());
    beside
}

#[test]
fn cluster_is_started_repaired_and_stopped_without_leftovers() {
    let cluster = Cluster::start(2);
    let status = cluster.weir(&["cluster", "status", "--output", "json"]);
    status.succeeds();
    assert_eq!(status.json()["running"], true);
    assert_eq!(status.json()["nodes"], 2);
    let address = cluster.record()["address"].as_str().expect("an address").to_owned();
    let again = cluster.weir(&["cluster", "start", "--port", "0"]);
    again.fails(1, &["a cluster already runs with the data folder", &address, "WEIR-CLUSTER-0002"]);

    let before = cluster.daemons();
    for killed in [0, 2] {
        before[killed].signal(9).expect("ours");
        cluster.wait_until("its end", || (!before[killed].is_alive()).then_some(()));
    }
    let status = cluster.weir(&["cluster", "status"]);
    assert_eq!(status.code, Some(1), "{status:#?}");
    assert!(status.stdout.contains("dead"), "{status:#?}");
    let mended = cluster.weir(&["cluster", "start"]);
    mended.succeeds();
    let told = "Started again: resource-manager, node-agent-2.";
    assert!(mended.stdout.starts_with(told), "{mended:#?}");
    assert_eq!(cluster.record()["address"], address.as_str());
    assert_eq!(cluster.daemons()[1], before[1], "what lived was let alone");

    let all = cluster.daemons();
    cluster.weir(&["cluster", "stop"]).succeeds();
    assert!(all.iter().all(|daemon| !daemon.is_alive()));
    assert_eq!(cluster.processes(), [0u32; 0]);
    let stopped = cluster.weir(&["cluster", "stop"]);
    stopped.succeeds();
    assert!(stopped.stdout.starts_with("No cluster runs on "), "{stopped:#?}");
    assert_eq!(cluster.weir(&["cluster", "status"]).code, Some(1));
}

#[test]
fn interrupted_start_is_completed_by_the_next_one() {
    let cluster = Cluster::start(1);
    let before = cluster.daemons();
    // The state after a start that is killed before the resource manager has reported its address.
    assert!(before[1].signal(9).expect("ours"));
    cluster.wait_until("its end", || (!before[1].is_alive()).then_some(()));
    let mut record = cluster.record();
    record["address"] = "".into();
    record["node_agents"] = Value::Array(Vec::new());
    fs::write(cluster.data_dir().join("cluster.json"), record.to_string()).expect("written");
    let status = cluster.weir(&["cluster", "status"]);
    assert_eq!(status.code, Some(1), "{status:#?}");
    assert!(status.stdout.contains("did not come to its end"), "{status:#?}");
    cluster.weir(&["list"]).fails(1, &["no cluster is running", "WEIR-CLI-0201"]);

    cluster.weir(&["cluster", "start"]).succeeds();
    assert!(!before[0].is_alive(), "its address is not known");
    let status = cluster.weir(&["cluster", "status", "--output", "json"]);
    status.succeeds();
    assert_eq!(status.json()["nodes"], 1);
}

#[test]
fn start_again_that_fails_leaves_the_cluster_on_record() {
    let cluster = Cluster::start(1);
    let (record, daemons) = (cluster.record(), cluster.daemons());
    for daemon in &daemons {
        daemon.signal(9).expect("ours");
        cluster.wait_until("its end", || (!daemon.is_alive()).then_some(()));
    }
    let address = record["address"].as_str().expect("an address");
    let taken = TcpListener::bind(address).expect("free again");
    let ended = cluster.weir(&["cluster", "start"]);
    ended.fails(1, &[address, "end the process that listens there", "WEIR-CLUSTER-0001"]);
    assert_eq!(cluster.record(), record);
    assert_eq!(cluster.processes(), [0u32; 0]);
    drop(taken);
    // A process that another test starts at this moment has the listener for as long as it is a copy of us.
    cluster.wait_until("a free port", || TcpStream::connect(address).is_err().then_some(()));
    cluster.weir(&["cluster", "start"]).succeeds();
    assert_eq!(cluster.record()["address"], address);
}

#[test]
fn daemon_whose_starter_has_died_ends() {
    let folder = Folder::new();
    folder.file("token", "ab".repeat(32), 0o600);
    let data_dir = folder.path("data");
    let data_dir = data_dir.to_str().expect("a text");
    let line = ["resource-manager", "--data-dir", data_dir, "--token-file", "token"];
    let mut command = folder.command(&[&line[..], &["--bind", "127.0.0.1:0"]].concat());
    let (starter, pipe) = std::io::pipe().expect("a pipe");
    drop(starter);
    command.stdin(pipe).env("WEIR_READY_FD", "0");
    let ended = Ended::of(folder.start(&mut command));
    ended.fails(1, &["the process that started this daemon no longer waits for it"]);
}

#[test]
fn port_in_use_and_bad_settings_leave_nothing_behind() {
    let cluster = Cluster { folder: Folder::new() };
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let ended = cluster.weir(&["cluster", "start", "--port", &port]);
    ended.fails(1, &["port in use", &port, "--port", "WEIR-CLUSTER-0001"]);
    assert_eq!(cluster.processes(), [0u32; 0]);
    assert!(!cluster.data_dir().join("cluster.json").exists());
    for (line, part) in [
        (&["--node-memory", "much"][..], "--node-memory much"),
        (&["--node-agents", "0"], "--node-agents"),
        (&["--port", "99999"], "--port"),
    ] {
        let ended = cluster.weir(&[&["cluster", "start"], line].concat());
        ended.fails(2, &[part]);
    }
    cluster.folder.file("file", "", 0o644);
    let ended = cluster.weir(&["cluster", "start", "--data-dir", "file/below", "--port", "0"]);
    ended.fails(1, &["file/below", "WEIR-CLUSTER-0006"]);
}

/// Words and counts, as an independent count has them.
pub fn counted_here(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// The last count of each word in the files of an output; the last is the highest.
fn counted_by_weir(output: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(output).expect("an output").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(['.', '_']) {
            continue;
        }
        for line in fs::read_to_string(entry.path()).expect("text").lines() {
            let (word, count) = line.rsplit_once(' ').expect("word and count");
            let count: u64 = count.parse().expect("a count");
            let highest: &mut u64 = counts.entry(word.to_owned()).or_default();
            *highest = count.max(*highest);
        }
    }
    counts
}

#[test]
fn words_are_counted_and_jobs_cancelled_on_a_cluster() {
    let cluster = Cluster::start(2);
    let text = "to be or not to be that is the question\n".repeat(500);
    cluster.folder.file("input", &text, 0o644);
    let word_count = example("word-count");
    let word_count = word_count.to_str().expect("a text");
    let line =
        ["run", "-t", "per-job", "-p", "2", word_count, "--input", "input", "--output", "out"];
    let ended = cluster.weir(&line);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("Job has been submitted with JobID "), "{lines:?}");
    assert_eq!(lines[1], "Program execution finished");
    assert!(lines[3].starts_with("Job Runtime: ") && lines[3].ends_with(" ms"), "{lines:?}");
    assert_eq!(counted_by_weir(&cluster.folder.path("out")), counted_here(&text));

    let again = cluster.weir(&line);
    again.fails(1, &["failed: ", "out", "WEIR-SINK-0001"]);
    a_job_is_followed_and_cancelled(&cluster);
    what_ended_is_still_shown(&cluster);
}

fn a_job_is_followed_and_cancelled(cluster: &Cluster) {
    let slow = example("slow-consumer");
    let slow = slow.to_str().expect("a text");
    let line = ["run", "-t", "per-job", "-d", "--output", "json", slow, "--seconds", "0"];
    let ended = cluster.weir(&line);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let submitted = ended.json();
    let id = |name: &str| submitted[name].as_str().expect("an id").to_owned();
    let (job, application) = (id("job-id"), id("application-id"));
    cluster.wait_until("a running job", || {
        let list = cluster.weir(&["list", "-r"]);
        list.stdout.contains(&format!(" : {job} : slow consumer (RUNNING)")).then_some(())
    });
    let mut follow = cluster.command(&["logs", "-f", &application]);
    let follow = cluster.folder.start(&mut follow);
    cluster.weir(&["cancel", &job]).succeeds();
    let followed = Ended::of(follow);
    assert_eq!(followed.code, Some(0), "{followed:#?}");
    assert!(followed.stdout.contains("_000001 stderr <=="), "{followed:#?}");
    cluster.wait_until("a cancelled job", || {
        let list = cluster.weir(&["list", "-a"]);
        list.stdout.contains(&format!(" : {job} : slow consumer (CANCELED)")).then_some(())
    });
}

fn what_ended_is_still_shown(cluster: &Cluster) {
    let list = cluster.weir(&["application", "list", "--states", "ALL", "--output", "json"]);
    list.succeeds();
    let apps = list.json()["apps"]["app"].as_array().cloned().expect("a list");
    assert_eq!(apps.len(), 3);
    let oldest = apps.iter().filter_map(|app| app["id"].as_str()).min().expect("ids").to_owned();
    let status = cluster.weir(&["application", "status", &oldest]);
    status.succeeds();
    assert!(status.stdout.contains("\tFinal-State : SUCCEEDED\n"), "{status:#?}");
    let logs = cluster.weir(&["logs", "--file", "stderr", &oldest]);
    logs.succeeds();
    for part in ["Container: container_", "LogType:stderr\n", "End of LogType:stderr"] {
        assert!(logs.stdout.contains(part), "{part:?} is missing in {logs:#?}");
    }
    let none = cluster.weir(&["logs", "--container", "container_1_0001_01_000001", &oldest]);
    none.fails(1, &["has no container", "WEIR-CLI-0212"]);
}

#[test]
fn stopping_ends_running_jobs_also_where_every_daemon_was_killed() {
    let cluster = Cluster::start(1);
    let slow = example("slow-consumer");
    let slow = slow.to_str().expect("a text");
    let ended = cluster.weir(&["run", "-t", "per-job", "-d", slow, "--seconds", "0"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    cluster.wait_until("a running job", || {
        let list = cluster.weir(&["list", "-r", "--output", "json"]);
        let jobs = list.json()["jobs"].as_array().cloned().unwrap_or_default();
        jobs.iter().any(|job| job["state"] == "RUNNING").then_some(())
    });
    for daemon in cluster.daemons() {
        daemon.signal(9).expect("ours");
        cluster.wait_until("its end", || (!daemon.is_alive()).then_some(()));
    }
    assert!(!cluster.processes().is_empty(), "containers outlive their agent");
    let stopped = cluster.weir(&["cluster", "stop"]);
    stopped.succeeds();
    assert!(stopped.stdout.contains("containers that were left"), "{stopped:#?}");
    assert_eq!(cluster.processes(), [0u32; 0]);

    // The resource manager did not get the kill, and must not restart the job.
    cluster.weir(&["cluster", "start", "--port", "0"]).succeeds();
    let list = cluster.weir(&["application", "list", "--states", "ALL", "--output", "json"]);
    let apps = list.json()["apps"]["app"].as_array().cloned().expect("a list");
    let states: Vec<_> = apps.iter().filter_map(|app| app["finalStatus"].as_str()).collect();
    assert_eq!(states, ["KILLED"], "{list:#?}");
}
