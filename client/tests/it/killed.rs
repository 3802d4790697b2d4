//! The word count on a cluster of two agents, undisturbed and with its processes killed: each count of each
//! word is written once and in order.

use super::cluster::{Cluster, counted_here, example};
use super::fixture::Ended;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use weir_service::ProcessId;

const LINE: &str = "to be\n";
/// Lines of each file: read slowly they take half a minute, in which a job is disturbed.
const LINES: usize = 150_000;

/// Files of an output, which is a folder unless there is one subtask.
fn parts(output: &Path) -> Vec<PathBuf> {
    if output.is_file() {
        return vec![output.to_owned()];
    }
    let entries = fs::read_dir(output).expect("an output").flatten();
    let is_part = |name: &str| !name.starts_with(['.', '_']);
    let entries = entries.filter(|entry| is_part(&entry.file_name().to_string_lossy()));
    entries.map(|entry| entry.path()).collect()
}

/// Checks that an output has every update of every word once, in order.
#[track_caller]
fn assert_updates(output: &Path, expected: &BTreeMap<String, u64>) {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for part in parts(output) {
        for line in fs::read_to_string(part).expect("text").lines() {
            let (word, count) = line.rsplit_once(' ').expect("word and count");
            let last = found.entry(word.to_owned()).or_default();
            assert_eq!(count, (*last + 1).to_string(), "of {word:?}");
            *last += 1;
        }
    }
    assert_eq!(&found, expected);
}

/// Processes in containers of the cluster whose command line has this word.
fn processes(cluster: &Cluster, word: &str) -> Vec<ProcessId> {
    let command = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_it = |pid: &u32| command(*pid).split('\0').take(2).any(|part| part.ends_with(word));
    let folder = cluster.folder.path("data").canonicalize().expect("a folder");
    let folder = folder.to_string_lossy().into_owned();
    // The program that submitted the job is in no container.
    let is_ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let is_here = environment.contains(&folder) || command(*pid).contains(&folder);
        is_here && environment.contains("CONTAINER_ID=")
    };
    let pids = weir_service::process::all_pids().into_iter();
    pids.filter(is_it).filter(is_ours).filter_map(ProcessId::of).collect()
}

/// A word count with checkpoints, slow until it has been disturbed.
struct Disturbed<'a> {
    cluster: &'a Cluster,
    output: PathBuf,
    slow_while: PathBuf,
    running: Child,
}

impl<'a> Disturbed<'a> {
    fn start(cluster: &'a Cluster, parallelism: &str, input: &str, output: &str) -> Self {
        let slow_while = cluster.folder.path("slow");
        fs::write(&slow_while, "").expect("written");
        let word_count = example("word-count");
        let word_count = word_count.to_str().expect("a text");
        let checkpoints = "execution.checkpointing.interval=100 ms";
        let run = ["run", "-t", "per-job", "-p", parallelism, "-D", checkpoints, word_count];
        let slow = ["--slow-while", slow_while.to_str().expect("a text")];
        let line = [&run[..], &["--input", input, "--output", output], &slow].concat();
        let running = cluster.folder.start(&mut cluster.command(&line));
        let output = cluster.folder.path(output);
        let job = Self { cluster, output, slow_while, running };
        job.wait_for_running();
        job
    }

    fn wait_for_running(&self) {
        self.cluster.wait_until("a running job", || {
            let list = self.cluster.weir(&["list", "-r"]);
            list.stdout.contains("(RUNNING)").then_some(())
        });
    }

    /// kill -9 of a daemon.
    fn kill(&self, victim: ProcessId) {
        assert!(victim.signal(9).expect("ours"), "it has ended before");
        self.cluster.wait_until("its end", || (!victim.is_alive()).then_some(()));
    }

    /// kill -9 of a process in a container, and another in its place.
    fn kill_one(&self, word: &str) {
        self.wait_for_running();
        // The task host that was found may end before it gets the signal: the other ones were ordered to end.
        let before = self.cluster.wait_until(word, || {
            let before = processes(self.cluster, word);
            let is_hit = before.first()?.signal(9).expect("ours");
            is_hit.then_some(before)
        });
        self.cluster.wait_until("another one", || {
            let now = processes(self.cluster, word);
            now.iter().any(|process| !before.contains(process)).then_some(())
        });
    }

    fn ends_with(self, expected: &BTreeMap<String, u64>) -> Ended {
        fs::remove_file(self.slow_while).expect("it was slow");
        let ended = Ended::of(self.running);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_updates(&self.output, expected);
        ended
    }
}

/// `2026-12-01T05:25:13.723Z `
fn begins_with_a_time(line: &str) -> bool {
    let shape = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
    line.chars().take(25).map(shape).collect::<String>() == "0000-00-00T00:00:00.000Z "
}

/// The codes of what has interrupted a job that has ended, newest first.
fn causes(ended: &Ended) -> Vec<String> {
    let page = ended.stderr.split("page http://").nth(1).expect("the page is printed");
    let (address, page) =
        page.split_whitespace().next().and_then(|page| page.split_once('/')).expect("an address");
    let job = ended.stdout.split("JobID ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let path = format!("/{page}jobs/{}/exceptions", job.expect("the id is printed"));
    let mut connection = TcpStream::connect(address).expect("the resource manager listens");
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("text");
    let body = answer.split_once("\r\n\r\n").expect("a head and a body").1;
    let answer: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let entries = answer["exceptionHistory"]["entries"].as_array().expect("a list").clone();
    let code = |entry: &serde_json::Value| entry["exceptionName"].as_str().unwrap_or("").to_owned();
    entries.iter().map(code).collect()
}

/// A folder of files that all have the same lines: what is counted in them.
fn write_input(cluster: &Cluster, name: &str, files: usize) -> BTreeMap<String, u64> {
    let folder = cluster.folder.path(name);
    fs::create_dir(&folder).expect("made");
    for file in 0..files {
        fs::write(folder.join(file.to_string()), LINE.repeat(LINES)).expect("written");
    }
    counted_here(&LINE.repeat(LINES * files))
}

#[test]
fn words_are_counted_exactly_once_when_daemons_are_killed() {
    let cluster = Cluster::start(2);
    let expected = write_input(&cluster, "input", 2);
    let job = Disturbed::start(&cluster, "2", "input", "without-app-master");
    job.kill_one("app-master");
    let ended = job.ends_with(&expected);
    let replaced = "the app master has ended, and attempt 2 has taken over job";
    assert!(ended.stderr.contains(replaced), "{ended:#?}");

    for (place, name) in ["resource-manager", "node-agent-1", "node-agent-2"].iter().enumerate() {
        let job = Disturbed::start(&cluster, "2", "input", name);
        job.kill(cluster.daemons()[place]);
        let mended = cluster.weir(&["cluster", "start"]);
        mended.succeeds();
        let told = format!("Started again: {name}.");
        assert!(mended.stdout.starts_with(&told), "{mended:#?}");
        job.ends_with(&expected);
    }
}

#[test]
fn words_are_counted_exactly_once_when_task_hosts_and_managers_are_killed() {
    let cluster = Cluster::start(2);
    let word_count = example("word-count");
    let word_count = word_count.to_str().expect("a text");
    for parallelism in ["1", "2", "4"] {
        let input = format!("input-{parallelism}");
        let expected = write_input(&cluster, &input, parallelism.parse().expect("a number"));
        let calm = format!("calm-{parallelism}");
        let arguments = ["--input", &input, "--output", &calm];
        let line = [&["run", "-t", "per-job", "-p", parallelism, word_count], &arguments[..]];
        let ended = cluster.weir(&line.concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_updates(&cluster.folder.path(&calm), &expected);

        let disturbed = format!("disturbed-{parallelism}");
        let job = Disturbed::start(&cluster, parallelism, &input, &disturbed);
        job.kill_one("word-count");
        job.kill_one("task-manager");
        let ended = job.ends_with(&expected);
        // That a neighbour has lost its connection to what was killed is a consequence.
        let causes = causes(&ended);
        let is_loss = |code: &String| {
            ["WEIR-TM-0002", "WEIR-AM-0010", "WEIR-AM-0011"].contains(&code.as_str())
        };
        assert!(causes.len() >= 2 && causes.iter().all(is_loss), "{causes:?}");
        let application = ended.stderr.split("Submitted application ").nth(1).expect("printed");
        let application = application.split(',').next().expect("an id");
        let log = cluster.weir(&["logs", application]);
        for line in [
            "switched from CREATED to RUNNING",
            "switched from RUNNING to RESTARTING; restart 1 follows after ",
            " completed in ",
            "the job has ended: FINISHED",
        ] {
            assert!(log.stdout.contains(line), "{line}: {}", log.stdout);
        }
        for part in ["task manager: registered with", ": joined job "] {
            let line = log.stdout.lines().find(|line| line.contains(part));
            let line = line.unwrap_or_else(|| panic!("{part}: {}", log.stdout));
            assert!(begins_with_a_time(line), "{line}");
        }
    }
}
