//! The word count on a cluster of two agents, undisturbed and with its processes killed: each count of each
//! word is written once and in order.

use super::cluster::{Cluster, counted_here, example};
use super::fixture::Ended;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use weir_service::ProcessId;

const LINE: &str = "to be or not to be that is the question\n";
/// Of each file; at this rate it is read for some seconds.
const LINES: usize = 1_500;
const LINES_PER_SECOND: &str = "500";

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

/// A process of the cluster whose command line has this word; none of `but`.
fn process(cluster: &Cluster, word: &str, but: &[ProcessId]) -> Option<ProcessId> {
    let command = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_it = |pid: &u32| command(*pid).split('\0').take(2).any(|part| part.ends_with(word));
    let mut processes = weir_service::process::all_pids().into_iter().filter(is_it);
    let folder = cluster.folder.path("data").canonicalize().expect("a folder");
    let folder = folder.to_string_lossy().into_owned();
    // In a container, which the program that submitted the job is not.
    let is_ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let is_here = environment.contains(&folder) || command(*pid).contains(&folder);
        is_here && environment.contains("CONTAINER_ID=")
    };
    processes.find_map(|pid| {
        let id = ProcessId::of(pid).filter(|id| !but.contains(id))?;
        is_ours(&pid).then_some(id)
    })
}

fn wait_for_running(cluster: &Cluster) {
    cluster.wait_until("a running job", || {
        let list = cluster.weir(&["list", "-r"]);
        list.stdout.contains("(RUNNING)").then_some(())
    });
}

fn kill(cluster: &Cluster, word: &str) {
    wait_for_running(cluster);
    let victim = cluster.wait_until(word, || process(cluster, word, &[]));
    assert!(victim.signal(9).expect("ours"), "{word} has ended before");
    cluster.wait_until("another one", || process(cluster, word, &[victim]));
}

/// A word count that reads for some seconds, with checkpoints; each of its daemons is killed once.
struct Disturbed<'a> {
    cluster: &'a Cluster,
    output: PathBuf,
    running: Child,
}

impl<'a> Disturbed<'a> {
    fn start(cluster: &'a Cluster, name: &str) -> Self {
        let input = cluster.folder.path("input");
        if !input.exists() {
            fs::create_dir(&input).expect("made");
            for file in ["0", "1"] {
                fs::write(input.join(file), LINE.repeat(LINES)).expect("written");
            }
        }
        let word_count = example("word-count");
        let checkpoints = "execution.checkpointing.interval=100 ms";
        let run = ["run", "-t", "per-job", "-p", "2", "-D", checkpoints];
        let arguments = ["--input", "input", "--output", name];
        let slow = ["--lines-per-second", LINES_PER_SECOND];
        let word_count = [word_count.to_str().expect("a text")];
        let line = [&run[..], &word_count[..], &arguments[..], &slow[..]].concat();
        let running = cluster.folder.start(&mut cluster.command(&line));
        wait_for_running(cluster);
        Self { cluster, output: cluster.folder.path(name), running }
    }

    /// Kills it, which must be there.
    fn kill(&self, victim: ProcessId) {
        assert!(victim.signal(9).expect("ours"), "it has ended before");
        self.cluster.wait_until("its end", || (!victim.is_alive()).then_some(()));
    }

    fn assert_counted_once(self) {
        let ended = Ended::of(self.running);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_updates(&self.output, &counted_here(&LINE.repeat(2 * LINES)));
    }
}

#[test]
fn words_are_counted_once_whichever_daemon_is_killed() {
    let cluster = Cluster::start(2);
    let job = Disturbed::start(&cluster, "without-app-master");
    let app_master = cluster.wait_until("an app master", || process(&cluster, "app-master", &[]));
    job.kill(app_master);
    cluster.wait_until("another attempt", || process(&cluster, "app-master", &[app_master]));
    job.assert_counted_once();

    for (place, name) in ["resource-manager", "node-agent-1", "node-agent-2"].iter().enumerate() {
        let job = Disturbed::start(&cluster, name);
        job.kill(cluster.daemons()[place]);
        let mended = cluster.weir(&["cluster", "start"]);
        mended.succeeds();
        let told = format!("Started again: {name}.");
        assert!(mended.stdout.starts_with(&told), "{mended:#?}");
        job.assert_counted_once();
    }
}

#[test]
fn words_are_counted_once_whoever_is_killed() {
    let cluster = Cluster::start(2);
    let word_count = example("word-count");
    let word_count = word_count.to_str().expect("a text");
    for parallelism in ["1", "2", "4"] {
        let files: usize = parallelism.parse().expect("a number");
        let input = format!("input-{parallelism}");
        let path = cluster.folder.path(&input);
        fs::create_dir(&path).expect("made");
        for file in 0..files {
            fs::write(path.join(file.to_string()), LINE.repeat(LINES)).expect("written");
        }
        let expected = counted_here(&LINE.repeat(LINES * files));

        let calm = format!("calm-{parallelism}");
        let arguments = ["--input", &input, "--output", &calm];
        let line = [&["run", "-t", "per-job", "-p", parallelism, word_count], &arguments[..]];
        let ended = cluster.weir(&line.concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_updates(&cluster.folder.path(&calm), &expected);

        let disturbed = format!("disturbed-{parallelism}");
        let checkpoints = "execution.checkpointing.interval=100 ms";
        let run = ["run", "-t", "per-job", "-p", parallelism, "-D", checkpoints, word_count];
        let slow = ["--lines-per-second", LINES_PER_SECOND];
        let arguments = ["--input", &input, "--output", &disturbed];
        let line = [&run[..], &arguments[..], &slow[..]].concat();
        let running = cluster.folder.start(&mut cluster.command(&line));
        kill(&cluster, "word-count");
        kill(&cluster, "task-manager");
        let ended = Ended::of(running);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_updates(&cluster.folder.path(&disturbed), &expected);
    }
}
