//! Jobs that outlive their process: a process is killed, the next one continues from its checkpoint.
//!
//! The killed process is this test binary, started again to run only [`job_of_another_process`].

use crate::{
    paced::PacedLines,
    support::{
        Folder, as_line, assert_each_update_once, config, count, count_words, read_output, text,
        wait_until, within_patience,
    },
};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};
use weir::{JobExecutionResult, Result, StreamExecutionEnvironment};

const FOLDER: &str = "WEIR_TEST_FOLDER";

fn lines() -> Vec<String> {
    text(11, 2_400)
}

fn settings(folder: &Path, parallelism: u32) -> [(&'static str, String); 6] {
    [
        ("parallelism.default", parallelism.to_string()),
        ("execution.checkpointing.interval", "10 ms".to_owned()),
        ("execution.checkpointing.dir", folder.join("checkpoints").display().to_string()),
        ("execution.buffer-timeout.interval", "1 ms".to_owned()),
        ("pipeline.max-parallelism", "16".to_owned()),
        ("weir.progress", "NEVER".to_owned()),
    ]
}

fn environment(folder: &Path, parallelism: u32) -> StreamExecutionEnvironment {
    StreamExecutionEnvironment::with_config(config(settings(folder, parallelism)))
}

/// The variable that sets a configuration key.
fn variable(key: &str) -> String {
    format!("WEIR_CONF_{}", key.to_uppercase().replace(['.', '-'], "_"))
}

/// The job that is killed and resumed.
fn count_paced_lines(folder: &Path, parallelism: u32) -> Result<JobExecutionResult> {
    count_from(PacedLines::new(lines()), &environment(folder, parallelism), folder)
}

fn count_from(
    source: PacedLines,
    env: &StreamExecutionEnvironment,
    folder: &Path,
) -> Result<JobExecutionResult> {
    let counts = folder.join("counts");
    // In the first process only: later it would delete committed output.
    env.on_submit(move || {
        let _ = fs::remove_dir_all(&counts).or_else(|_| fs::remove_file(&counts));
        Ok(())
    });
    count(env.from_source(source)).write_as_text_with(folder.join("counts"), as_line);
    env.execute("resumed")
}

#[test]
#[ignore = "the other tests start it in processes that they kill"]
fn job_of_another_process() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("started by a test here"));
    // Set up by variables as a program is: only a program, not a library, prints.
    let env = StreamExecutionEnvironment::new().expect("an environment");
    // It is killed, at any number of checkpoints, or ends after the process that would have killed it.
    let parent = PathBuf::from(format!("/proc/{}", std::os::unix::process::parent_id()));
    let source = PacedLines::new(lines()).held_while(parent);
    count_from(source, &env, &folder).expect("it is killed");
}

/// A process that runs the job; killed when dropped.
struct Process(Child);

impl Process {
    fn start(folder: &Folder, parallelism: u32) -> Self {
        let child = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "resume::job_of_another_process", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path(""))
            .envs(
                settings(&folder.path(""), parallelism).map(|(key, value)| (variable(key), value)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self(child)
    }

    /// Waits for the line that names the restored checkpoint. The process cannot write to a pipe that is
    /// closed, so the caller keeps it.
    fn wait_until_resumed(&mut self) -> BufReader<ChildStderr> {
        let mut stderr = BufReader::new(self.0.stderr.take().expect("it is a pipe"));
        let mut lines = stderr.by_ref().lines().map_while(|line| line.ok());
        let found = lines.find(|line| line.contains("continues from checkpoint "));
        assert!(found.is_some(), "no line names the checkpoint");
        stderr
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("ours").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: it has no chance to tidy up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Records of completed checkpoints in the job log.
fn completed_checkpoints(folder: &Folder) -> usize {
    let records = fs::read_dir(folder.path("checkpoints/log")).into_iter().flatten().flatten();
    let is_completion = |path: PathBuf| {
        fs::read(path)
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("checkpoint-completed"))
    };
    records.filter(|record| is_completion(record.path())).count()
}

/// Runs the job until it has completed this number of further checkpoints, and kills it.
fn run_and_kill(folder: &Folder, parallelism: u32, more: usize) {
    let before = completed_checkpoints(folder);
    let mut process = Process::start(folder, parallelism);
    let _stderr = (before > 0).then(|| process.wait_until_resumed());
    wait_until("checkpoints complete", || {
        assert!(!process.has_ended(), "it is killed while it runs");
        completed_checkpoints(folder) >= before + more
    });
}

/// Checks that the output has each update of each word once, in whichever part.
fn assert_updates_somewhere(output: &Path) {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in read_output(output).concat() {
        let (word, count) = line.rsplit_once(' ').expect("a word and its count");
        found.entry(word.to_owned()).or_default().push(count.parse().expect("a number"));
    }
    let expected = count_words(lines());
    assert_eq!(found.len(), expected.len(), "words are missing");
    for (word, mut counts) in found {
        counts.sort_unstable();
        assert!(counts.iter().copied().eq(1..=expected[&word]), "{word}: {counts:?}");
    }
}

#[test]
fn a_killed_process_is_resumed_to_the_exact_output() {
    within_patience(|| {
        for parallelism in [1, 2] {
            let folder = Folder::new();
            for more in [1, 3, 2] {
                run_and_kill(&folder, parallelism, more);
            }
            let result = count_paced_lines(&folder.path(""), parallelism).expect("it resumes");
            assert_eq!(result.restarts, 0);
            assert_each_update_once(&folder.path("counts"), &count_words(lines()));
            assert_eq!(folder.names(), ["checkpoints", "counts"], "nothing is left in progress");
        }
    });
}

#[test]
fn a_killed_process_is_resumed_with_another_parallelism() {
    within_patience(|| {
        let folder = Folder::new();
        for parallelism in [2, 4, 3] {
            run_and_kill(&folder, parallelism, 2);
        }
        count_paced_lines(&folder.path(""), 2).expect("it resumes");
        assert_updates_somewhere(&folder.path("counts"));
        assert_eq!(folder.names(), ["checkpoints", "counts"], "nothing is left in progress");
    });
}

#[test]
fn a_folder_belongs_to_one_job_and_to_one_run_of_it() {
    within_patience(|| {
        let folder = Folder::new();
        run_and_kill(&folder, 1, 3);
        // The first checkpoint is committed before the second begins.
        let before = read_output(&folder.path("counts"));

        let other = environment(&folder.path(""), 1);
        other.sequence(1, 3).discard();
        let error = other.execute("another job").expect_err("the folder is not its own");
        assert_eq!(error.code(), "WEIR-JOB-0001", "{error}");

        let changed = environment(&folder.path(""), 1);
        count(changed.from_source(PacedLines::new(lines()))).discard();
        let error = changed.execute("resumed").expect_err("its graph is another");
        assert_eq!(error.code(), "WEIR-JOB-0002", "{error}");
        assert_eq!(read_output(&folder.path("counts")), before, "nothing was written");

        count_paced_lines(&folder.path(""), 1).expect("the job itself goes on");
        assert_each_update_once(&folder.path("counts"), &count_words(lines()));

        let error = count_paced_lines(&folder.path(""), 1).expect_err("it has ended");
        assert_eq!(error.code(), "WEIR-JOB-0003", "{error}");
        assert_each_update_once(&folder.path("counts"), &count_words(lines()));
    });
}

/// The records of the job log, oldest first: file and content.
fn log_records(folder: &Folder) -> Vec<(PathBuf, serde_json::Value)> {
    let entries = fs::read_dir(folder.path("checkpoints/log")).expect("a log").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("readable");
        // One line, between the header and the checksum of its file.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = text.find("{\"record\"").expect("a record");
        let line = text[json..].lines().next().expect("a line");
        let record = serde_json::from_str(line).expect("JSON");
        (path, record)
    };
    paths.into_iter().map(read).collect()
}

/// A snapshot of the checkpoint that a resumed job restores.
fn snapshot_to_restore(folder: &Folder) -> PathBuf {
    let records = log_records(folder);
    let is_completion = |record: &serde_json::Value| record["record"] == "checkpoint-completed";
    let (_, last) =
        records.iter().rfind(|(_, record)| is_completion(record)).expect("a checkpoint");
    let snapshots = last["snapshots"].as_array().expect("snapshots").iter();
    let mut paths = snapshots.filter_map(|snapshot| snapshot["path"].as_str());
    let path = paths.rfind(|path| !path.is_empty()).expect("a snapshot with state");
    folder.path("checkpoints").join(path)
}

#[test]
fn damage_is_found_and_a_repaired_folder_is_resumed() {
    type Damage = fn(&Path);
    let flip: Damage = |path| {
        let mut bytes = fs::read(path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).expect("writable");
    };
    let cut: Damage = |path| {
        let bytes = fs::read(path).expect("readable");
        fs::write(path, &bytes[..bytes.len() - 1]).expect("writable");
    };
    let remove: Damage = |path| fs::remove_file(path).expect("ours");
    let cases = [
        ("snapshot", flip, "WEIR-CKPT-0002"),
        ("snapshot", cut, "WEIR-CKPT-0002"),
        ("snapshot", remove, "WEIR-CKPT-0006"),
        ("log", flip, "WEIR-CKPT-0002"),
        ("log", remove, "WEIR-CKPT-0003"),
    ];
    within_patience(move || {
        let folder = Folder::new();
        run_and_kill(&folder, 1, 2);
        for (kind, damage, code) in cases {
            let path = match kind {
                "snapshot" => snapshot_to_restore(&folder),
                // From the middle: without it the log has a gap.
                _ => log_records(&folder).swap_remove(1).0,
            };
            let copy = fs::read(&path).expect("readable");
            damage(&path);
            let error = count_paced_lines(&folder.path(""), 1).expect_err("it is damaged");
            assert_eq!(error.code(), code, "{error}");
            let name = path.file_name().expect("a name").to_string_lossy();
            assert!(error.to_string().contains(&*name), "{name} is named: {error}");
            fs::write(&path, copy).expect("writable");
        }
        count_paced_lines(&folder.path(""), 1).expect("everything is whole again");
        assert_each_update_once(&folder.path("counts"), &count_words(lines()));
    });
}
