//! Our side of `submit-latency`, `cluster-word-count` and `idle-memory-*`, and what `shuffle-tcp` runs on: a real cluster on this
//! machine, made by the command `weir` for each run, with two node agents.
//!
//! The executables lie beside this one: `cargo xtask bench` builds them with the same profile.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    outcome::{Answer, Outcome, Settings},
    text,
    work::PARALLELISM,
};

/// Longest time to wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for; nothing is measured by it.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Idle means that no request came for this time.
const IDLE: Duration = Duration::from_secs(3);

/// From the start of `weir run -d` to the first task that runs, on a cluster that has run the job
/// before. Job master and task hosts write the times; all clocks are this machine's.
pub fn submit_latency(_: &Settings) -> Result<Outcome> {
    let cluster = Cluster::start()?;
    let job = ["--records-per-second", "1000", "--seconds", "600"];
    let warm = cluster.submit("slow-consumer", &job)?;
    cluster.wait_for("a running task", || cluster.first_running(&warm))?;
    cluster.cancel(&warm)?;
    let started_ms = wall_ms()?;
    let submitted = cluster.submit("slow-consumer", &job)?;
    let running_ms = cluster.wait_for("a running task", || cluster.first_running(&submitted))?;
    cluster.cancel(&submitted)?;
    let measured = running_ms.saturating_sub(started_ms) as f64 / 1e3;
    Ok(Outcome { measured, answer: nothing() })
}

/// The whole command, on a cluster that has run the job before, with output written.
pub fn word_count(settings: &Settings) -> Result<Outcome> {
    let cluster = Cluster::start()?;
    let small = cluster.folder.join("small");
    fs::write(&small, "to be or not to be\n")?;
    cluster.count_words("per-job", &small, "warm")?;
    cluster.count_words("per-job", &text::path(settings)?, "counts")
}

/// The same job in local mode.
pub fn word_count_locally(settings: &Settings) -> Result<Outcome> {
    let folder = Folder::make()?;
    count_words(&folder.0, "local", &[], &text::path(settings)?, "counts")
}

/// A resource manager that has run a job.
pub fn idle_resource_manager(_: &Settings) -> Result<Outcome> {
    idle("resource-manager")
}

/// A node agent that has run containers.
pub fn idle_node_agent(_: &Settings) -> Result<Outcome> {
    idle("node-agent")
}

/// The app master of a job whose tasks wait for input.
pub fn idle_app_master(_: &Settings) -> Result<Outcome> {
    idle("app-master")
}

/// A task manager, without the task host that it watches.
pub fn idle_task_manager(_: &Settings) -> Result<Outcome> {
    idle("task-manager")
}

/// The largest resident memory of the processes that are this subcommand of `weir`.
fn idle(subcommand: &str) -> Result<Outcome> {
    let cluster = Cluster::start()?;
    let job =
        cluster.submit("slow-consumer", &["--records-per-second", "1", "--seconds", "600"])?;
    cluster.wait_for("a running task", || cluster.first_running(&job))?;
    thread::sleep(IDLE);
    let processes = cluster.processes(subcommand)?;
    let resident = processes.into_iter().map(resident_bytes).collect::<Result<Vec<_>>>()?;
    cluster.cancel(&job)?;
    let largest = resident.into_iter().max();
    let measured = largest.with_context(|| format!("no process is a {subcommand}"))? as f64;
    Ok(Outcome { measured, answer: nothing() })
}

/// There is nothing to compare.
fn nothing() -> Answer {
    Answer { record_count: 0, checksum: 0 }
}

fn wall_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// A new folder below the benchmarks' data, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        let path = text::data_folder()?.join(format!("cluster-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Leftovers are in the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A job on the cluster.
struct Submitted {
    job: String,
    application: String,
}

/// A cluster of this run alone; stopped when dropped.
pub struct Cluster {
    address: String,
    folder: PathBuf,
    /// Removed after the cluster was stopped.
    _folder: Folder,
}

impl Cluster {
    /// Starts it, with two node agents.
    pub fn start() -> Result<Self> {
        let own = Folder::make()?;
        let mut cluster = Self { address: String::new(), folder: own.0.clone(), _folder: own };
        cluster.weir(&["cluster", "start", "--port", "0", "--node-agents", "2"])?;
        let facts = fs::read_to_string(data_dir(&cluster.folder).join("cluster.json"))?;
        let facts: Value = serde_json::from_str(&facts)?;
        let address = facts["address"].as_str().context("the cluster has no address")?;
        address.clone_into(&mut cluster.address);
        Ok(cluster)
    }

    /// A folder that goes with the cluster.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Runs a job per-job, to its end.
    pub fn run_to_end(&self, words: &[&str]) -> Result<()> {
        let parallelism = PARALLELISM.to_string();
        let mut all = vec!["run", "-t", "per-job", "--cluster", &self.address, "-p", &parallelism];
        all.extend(["-D", "weir.progress=never"]);
        all.extend(words);
        self.weir(&all).map(drop)
    }

    fn weir(&self, arguments: &[&str]) -> Result<String> {
        weir(&self.folder, arguments)
    }

    fn submit(&self, example: &str, arguments: &[&str]) -> Result<Submitted> {
        let parallelism = PARALLELISM.to_string();
        let job = beside(example)?;
        let mut words = vec!["run", "-t", "per-job", "-d", "-p", &parallelism, "--output", "json"];
        words.push(job.to_str().context("a path that is no text")?);
        words.extend(arguments);
        let printed = self.weir(&words)?;
        let last = printed.lines().last().context("nothing was printed")?;
        let summary: Value = serde_json::from_str(last)?;
        let text = |name: &str| {
            let found = summary[name].as_str().map(str::to_owned);
            found.with_context(|| format!("no {name} in {last}"))
        };
        Ok(Submitted { job: text("job-id")?, application: text("application-id")? })
    }

    /// Ends a job and waits until its containers have ended.
    fn cancel(&self, submitted: &Submitted) -> Result<()> {
        self.wait_for("a job to cancel", || self.weir(&["cancel", &submitted.job]).map(Some))?;
        self.wait_for("free nodes", || {
            let metrics = self.get("/ws/v1/cluster/metrics")?;
            let left = metrics["clusterMetrics"]["containersAllocated"].as_u64();
            Ok((left == Some(0)).then_some(()))
        })
    }

    /// When the first task of the job began to run, if one does.
    fn first_running(&self, submitted: &Submitted) -> Result<Option<u64>> {
        let job = format!("/proxy/{}/jobs/{}", submitted.application, submitted.job);
        let vertices = self.get(&job)?["vertices"].as_array().cloned().unwrap_or_default();
        let mut first: Option<u64> = None;
        for vertex in vertices {
            let id = vertex["id"].as_str().context("a vertex without an id")?;
            let times = self.get(&format!("{job}/vertices/{id}/subtasktimes"))?;
            let subtasks = times["subtasks"].as_array().cloned().unwrap_or_default();
            let running = subtasks.iter().filter_map(|s| s["timestamps"]["RUNNING"].as_u64());
            first = running.filter(|at| *at > 0).chain(first).min();
        }
        Ok(first)
    }

    fn count_words(&self, target: &str, input: &Path, output: &str) -> Result<Outcome> {
        count_words(&self.folder, target, &["--cluster", &self.address], input, output)
    }

    /// Numbers of the processes of this cluster that are this subcommand.
    fn processes(&self, subcommand: &str) -> Result<Vec<u32>> {
        let folder = data_dir(&self.folder).to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let is_ours = command.contains(&folder) || place.starts_with(&folder);
            if is_ours && command.split('\0').nth(1) == Some(subcommand) {
                found.push(pid);
            }
        }
        Ok(found)
    }

    /// An answer of the resource manager. HTTP 1.0, so that it comes in one piece.
    fn get(&self, path: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
        Ok(serde_json::from_str(body)?)
    }

    /// Asks until there is something; an error is no answer yet.
    fn wait_for<T>(&self, what: &str, ask: impl Fn() -> Result<Option<T>>) -> Result<T> {
        let start = Instant::now();
        loop {
            let answer = ask();
            match answer {
                Ok(Some(found)) => return Ok(found),
                Ok(None) if start.elapsed() > PATIENCE => bail!("no sign of {what}"),
                Err(error) if start.elapsed() > PATIENCE => {
                    return Err(error.context(format!("no sign of {what}")));
                }
                _ => thread::sleep(POLL_INTERVAL),
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.weir(&["cluster", "stop"]) {
            eprintln!("the cluster was not stopped: {error:#}");
        }
    }
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// An executable that was built with this one.
fn beside(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is missing: run `cargo xtask bench`", path.display());
    Ok(path)
}

fn weir(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(beside("weir")?);
    command.args(arguments).stdin(Stdio::null()).current_dir(folder);
    let command =
        command.env("WEIR_DATA_DIR", data_dir(folder)).env("XDG_CACHE_HOME", folder.join("cache"));
    let Output { status, stdout, stderr } = command.output()?;
    let errors = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "weir {} ended with {status}: {errors}", arguments.join(" "));
    Ok(String::from_utf8(stdout)?)
}

/// Counts words into files, and adds the counts up.
fn count_words(
    folder: &Path,
    target: &str,
    more: &[&str],
    input: &Path,
    output: &str,
) -> Result<Outcome> {
    let output = folder.join(output);
    let job = beside("word-count")?;
    let parallelism = PARALLELISM.to_string();
    let mut words = vec!["run", "-t", target, "-p", &parallelism, "-D", "weir.progress=never"];
    words.extend(more);
    let paths = [&job, input, &output].map(|path| path.to_str().context("a path that is no text"));
    let [job, input, output_text] = paths;
    words.extend([job?, "--input", input?, "--output", output_text?]);
    let start = Instant::now();
    weir(folder, &words)?;
    let measured = start.elapsed().as_secs_f64();
    Ok(Outcome { measured, answer: sum_of(&output)? })
}

/// Lines, and the sum of the counts on them.
fn sum_of(output: &Path) -> Result<Answer> {
    let mut sum = nothing();
    for part in fs::read_dir(output)? {
        let text = fs::read(part?.path())?;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let count = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            let digits = count.iter().map(|digit| u64::from(digit.wrapping_sub(b'0')));
            sum.record_count += 1;
            sum.checksum += digits.fold(0, |number, digit| number * 10 + digit);
        }
    }
    Ok(sum)
}

fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib =
        line.and_then(|line| line.trim().strip_suffix(" kB")).context("no resident memory")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}
