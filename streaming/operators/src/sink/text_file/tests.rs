//! Files exactly once: commits cut off at every step, restores, changed parallelism.

use super::super::{SinkOperator, operator::WRITER_STATE, test_subtask::info};
use super::*;
use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use weir_base::{CheckpointId, FailureOrigin, JobId};
use weir_dataflow::{
    Batch, Error, ListState, Operator, OperatorContext, RestoredState, SubtaskInfo,
    operator::Gathered,
};

type Lines = TextFileSink<String, fn(&String, &mut String)>;

fn sink(path: &Path) -> Lines {
    TextFileSink::new(path, |line, out| out.push_str(line))
}

/// One subtask of a sink that is driven by hand.
struct Rig(SinkOperator<Lines>);

impl Rig {
    fn try_open(path: &Path, subtask: (u32, u32, u64), restored: RestoredState) -> Result<Self> {
        Self::try_open_in(Arc::new(sink(path)), subtask, restored)
    }

    /// In a process that has made its sink before.
    fn try_open_in(
        sink: Arc<Lines>,
        (subtask, parallelism, attempt): (u32, u32, u64),
        mut restored: RestoredState,
    ) -> Result<Self> {
        let mut operator = SinkOperator::new(sink);
        operator.open(&info(subtask, parallelism, attempt), &mut restored)?;
        Ok(Self(operator))
    }

    /// The first attempt of another job.
    fn try_open_of_job(job: &str, path: &Path) -> Result<Self> {
        let mut operator = SinkOperator::new(Arc::new(sink(path)));
        let info = SubtaskInfo { job: JobId::of_text(job), ..info(0, 1, 1) };
        operator.open(&info, &mut fresh())?;
        Ok(Self(operator))
    }

    fn open(path: &Path, subtask: (u32, u32, u64), restored: RestoredState) -> Self {
        Self::try_open(path, subtask, restored).unwrap()
    }

    fn write(&mut self, lines: &[&str]) -> &mut Self {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let mut gathered = Gathered::default();
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        self.0.on_batch(0, Batch::of(lines), &mut ctx).unwrap();
        self
    }

    fn barrier(&mut self, id: u64) -> RestoredState {
        let mut lists = ListState::default();
        self.0.snapshot(CheckpointId(id), &mut lists).unwrap();
        RestoredState {
            checkpoint: Some(CheckpointId(id)),
            lists: lists.entries,
            ..RestoredState::default()
        }
    }

    fn complete(&mut self, id: u64) -> &mut Self {
        self.0.on_checkpoint_complete(CheckpointId(id)).unwrap();
        self
    }

    fn checkpoint(&mut self, id: u64) -> RestoredState {
        let state = self.barrier(id);
        self.complete(id);
        state
    }

    fn close(mut self) {
        self.0.close().unwrap();
    }
}

fn fresh() -> RestoredState {
    RestoredState::default()
}

/// State of one checkpoint that is used several times.
fn copy(state: &RestoredState) -> RestoredState {
    RestoredState { checkpoint: state.checkpoint, lists: state.lists.clone(), ..fresh() }
}

/// Deals list elements to subtasks in turn.
fn deal(states: Vec<RestoredState>, parallelism: usize) -> Vec<RestoredState> {
    let checkpoint = states[0].checkpoint;
    let mut dealt: Vec<_> =
        (0..parallelism).map(|_| RestoredState { checkpoint, ..fresh() }).collect();
    for name in [super::super::WRITER_STATE, super::super::COMMITTABLES_STATE] {
        let elements = states.iter().flat_map(|state| state.lists.get(name).into_iter().flatten());
        for (index, element) in elements.enumerate() {
            let lists = &mut dealt[index % parallelism].lists;
            lists.entry(name.to_owned()).or_default().push(element.clone());
        }
    }
    dealt
}

/// Everything in the folder, hidden things too, as `path: content`.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.push(name + "/");
                folders.push(path);
            } else {
                found.push(format!("{name}: {}", fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn temp() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    (folder, path)
}

#[test]
fn output_appears_with_the_checkpoint_and_nothing_is_left_behind() {
    let (folder, path) = temp();
    let mut rig = Rig::open(&path, (0, 1, 1), fresh());
    rig.write(&["a", "b"]).barrier(1);
    rig.write(&["c"]);
    assert!(!path.exists(), "not before its checkpoint is complete");
    rig.complete(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n");
    rig.checkpoint(2);
    rig.checkpoint(3); // nothing new
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
    rig.write(&["not prepared", &"x".repeat(300_000)]);
    assert!(segment(folder.path(), "0-1-2").exists());
    rig.close();
    assert_eq!(tree(folder.path()), ["out: a\nb\nc\n"]);
}

#[test]
fn an_empty_output_is_an_empty_file_and_grows_later() {
    let (folder, path) = temp();
    let mut rig = Rig::open(&path, (0, 1, 1), fresh());
    rig.checkpoint(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    rig.write(&["late"]).checkpoint(2);
    rig.close();
    assert_eq!(tree(folder.path()), ["out: late\n"]);
}

#[test]
fn two_subtasks_write_a_folder_of_parts_whose_parents_are_made() {
    let (folder, path) = temp();
    let path = path.join("deep/er");
    let mut rigs: Vec<_> = (0..2).map(|i| Rig::open(&path, (i, 2, 1), fresh())).collect();
    rigs[1].write(&["one"]);
    for rig in &mut rigs {
        rig.barrier(1);
    }
    assert!(!path.exists());
    for mut rig in rigs {
        rig.complete(1);
        rig.close();
    }
    let expected = ["out/", "out/deep/", "out/deep/er/", "out/deep/er/part-0: "];
    let expected = [&expected[..], &["out/deep/er/part-1: one\n"]].concat();
    assert_eq!(tree(folder.path()), expected);
}

#[test]
fn a_writer_makes_its_work_folder_anew_when_another_has_removed_it() {
    let (_folder, path) = temp();
    let first = Rig::open(&path, (0, 2, 1), fresh());
    let mut second = Rig::open(&path, (1, 2, 1), fresh());
    first.close();
    second.write(&["x"]).checkpoint(1);
    assert_eq!(fs::read_to_string(path.join("part-1")).unwrap(), "x\n");
}

#[test]
fn what_was_removed_with_its_folder_stays_removed() {
    let (_dir, path) = temp();
    super::place::sync_removal(&path.join("removed")).unwrap();
    let error = super::place::sync_folder(&path.join("removed")).unwrap_err();
    assert_eq!(error.code(), "WEIR-SINK-0002");
}

#[test]
fn lines_longer_than_the_buffer_come_out_whole() {
    let (_folder, path) = temp();
    let lines: Vec<String> = (1..5).map(|i| i.to_string().repeat(i * 100_000)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut rig = Rig::open(&path, (0, 1, 1), fresh());
    rig.write(&lines).checkpoint(1);
    rig.write(&lines).checkpoint(2);
    let expected = lines.join("\n") + "\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected.repeat(2));
}

#[test]
fn existing_output_is_refused_and_kept() {
    for parallelism in [1, 2] {
        for is_folder in [true, false] {
            let (folder, path) = temp();
            if is_folder {
                fs::create_dir(&path).unwrap();
            } else {
                fs::write(&path, "mine").unwrap();
            }
            let before = tree(folder.path());
            let error = Rig::try_open(&path, (0, parallelism, 1), fresh()).err().unwrap();
            assert_eq!(
                (error.code(), error.origin()),
                ("WEIR-SINK-0001", FailureOrigin::Permanent)
            );
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert_eq!(tree(folder.path()), before, "nothing is left behind");
        }
    }
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_a_record_comes() {
    let (folder, path) = temp();
    fs::write(folder.path().join("file"), "").unwrap();
    let cases = [
        (path.join("../file/out"), FailureOrigin::External),
        ("/proc/weir-out".into(), FailureOrigin::External),
        ("".into(), FailureOrigin::Permanent),
        ("/".into(), FailureOrigin::Permanent),
    ];
    for (path, origin) in cases {
        let error = Rig::try_open(&path, (0, 1, 1), fresh()).err().unwrap();
        assert_eq!((error.code(), error.origin()), ("WEIR-SINK-0002", origin), "{path:?}");
    }
}

/// A subtask that has committed "a" and prepared "b" and "c" in checkpoints 2 and 3, of which
/// nothing is committed yet; its process is gone.
fn prepared(path: &Path) -> (RestoredState, [TextFileCommittable; 2]) {
    let mut rig = Rig::open(path, (0, 1, 1), fresh());
    rig.write(&["a"]).checkpoint(1);
    rig.write(&["b"]).barrier(2);
    rig.write(&["c"]);
    let state = rig.barrier(3);
    rig.write(&["never prepared"]);
    let mut lists = copy(&state);
    let pending = lists
        .take_list::<super::super::PendingCommits<TextFileCommittable>>(
            super::super::COMMITTABLES_STATE,
        )
        .unwrap();
    let committables: Vec<_> = pending.into_iter().flatten().map(|(_, c)| c).collect();
    (state, committables.try_into().unwrap())
}

#[test]
fn a_commit_cut_off_anywhere_is_completed_by_the_next_restore() {
    type CutOff = fn(&Path, &[TextFileCommittable; 2]);
    fn grow(path: &Path, text: &str) {
        fs::write(path, fs::read_to_string(path).unwrap() + text).unwrap();
    }
    let cases: &[(&str, CutOff)] = &[
        ("before anything", |_, _| ()),
        ("in the first append", |path, _| grow(path, "b")),
        ("with bytes that were never written", |path, _| grow(path, "\0\0")),
        ("after the first append", |path, _| grow(path, "b\n")),
        ("after the first removal", |path, c| {
            grow(path, "b\n");
            fs::remove_file(&c[0].segment).unwrap();
        }),
        ("in the second append", |path, c| {
            grow(path, "b\nc");
            fs::remove_file(&c[0].segment).unwrap();
        }),
        ("after both", |path, c| {
            grow(path, "b\nc\n");
            fs::remove_file(&c[0].segment).unwrap();
            fs::remove_file(&c[1].segment).unwrap();
        }),
    ];
    for (name, cut_off) in cases {
        let (folder, path) = temp();
        let (state, committables) = prepared(&path);
        cut_off(&path, &committables);
        for attempt in 2..4 {
            // The second restore finds everything committed.
            drop(Rig::open(&path, (0, 1, attempt), copy(&state)));
            assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n", "{name}");
        }
        let mut rig = Rig::open(&path, (0, 1, 4), state);
        rig.write(&["d"]).checkpoint(4);
        rig.close();
        assert_eq!(tree(folder.path()), ["out: a\nb\nc\nd\n"], "{name}");
    }
}

#[test]
fn the_commit_that_makes_the_file_may_be_cut_off_too() {
    for is_renamed in [false, true] {
        let (folder, path) = temp();
        let mut rig = Rig::open(&path, (0, 1, 1), fresh());
        rig.write(&["a"]);
        let state = rig.barrier(1);
        if is_renamed {
            fs::rename(segment(folder.path(), "0-1-0"), &path).unwrap();
        }
        for attempt in 2..4 {
            drop(Rig::open(&path, (0, 1, attempt), copy(&state)));
            assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        }
    }
}

#[test]
fn what_was_prepared_but_not_completed_is_dropped_with_its_checkpoint() {
    let (folder, path) = temp();
    let mut first = Rig::open(&path, (0, 1, 1), fresh());
    let state = first.write(&["a"]).checkpoint(1);
    first.write(&["lost"]).barrier(2);
    first.close(); // the prepared segment stays: somebody may have recorded the checkpoint
    assert!(segment(folder.path(), "0-1-1").exists());

    let mut second = Rig::open(&path, (0, 1, 2), state);
    second.write(&["b"]).barrier(2);
    assert!(segment(folder.path(), "0-1-1").exists(), "not swept before a completion");
    second.complete(2);
    second.close();
    assert_eq!(tree(folder.path()), ["out: a\nb\n"]);
}

#[test]
fn a_fresh_start_sweeps_what_a_dead_job_has_left() {
    let (folder, path) = temp();
    let mut dead = Rig::open(&path, (0, 1, 1), fresh());
    dead.write(&["x"]).barrier(1);
    dead.write(&["y"]).barrier(2);
    drop(dead);
    let mut rig = Rig::open(&path, (0, 1, 1), fresh());
    rig.write(&["a"]).checkpoint(1);
    rig.close();
    assert_eq!(tree(folder.path()), ["out: a\n"]);
}

/// Regression: a job that started took the segments of a running job with the same output for its own
/// leftover, and deleted them. Both jobs reported success, and the output of the first was gone.
#[test]
fn two_jobs_with_one_output_do_not_touch_what_the_other_has_written() {
    let (folder, path) = temp();
    let mut first = Rig::open(&path, (0, 1, 1), fresh());
    let state = first.write(&["first", &"x".repeat(300_000)]).barrier(1);
    let error = Rig::try_open_of_job("second", &path).err().expect("the first job is writing");
    let (code, origin) = (error.code(), error.origin());
    assert_eq!((code, origin), ("WEIR-SINK-0001", FailureOrigin::Permanent), "{error}");
    // Between two attempts of the first job nothing says that it is running.
    drop(first);
    let mut second = Rig::try_open_of_job("second", &path).unwrap();
    second.write(&["second"]).barrier(1);
    assert_eq!(segments(folder.path()), ["0-1-0"], "the first job's output is there");
    let mut restarted = Rig::open(&path, (0, 1, 2), state);
    restarted.checkpoint(2);
    let committed = fs::read_to_string(&path).unwrap();
    assert!(committed.starts_with("first\n"));
    let lost = second.0.on_checkpoint_complete(CheckpointId(1)).unwrap_err();
    assert_eq!(lost.code(), "WEIR-SINK-0004", "{lost}");
    assert_eq!(fs::read_to_string(&path).unwrap(), committed);
}

/// Regression: a segment that was gone and a file that was long enough counted as committed, no matter
/// who had written the file. The job continued in the file of another one, without its own first lines.
#[test]
fn the_file_of_another_job_is_not_taken_for_committed_output() {
    let (folder, path) = temp();
    let mut first = Rig::open(&path, (0, 1, 1), fresh());
    let state = first.write(&["first"]).barrier(1);
    drop(first);
    let long_ago = SystemTime::now() - Duration::from_secs(48 * 3600);
    for entry in fs::read_dir(folder.path().join(".out.inprogress")).unwrap() {
        let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let mut second = Rig::try_open_of_job("second", &path).unwrap();
    second.write(&["another", "job"]).checkpoint(1);
    second.close();
    assert_eq!(tree(folder.path()), ["out: another\njob\n"], "the old leftover was removed");

    let error = Rig::try_open(&path, (0, 1, 2), state).err().expect("its output is gone");
    let found = (error.code(), error.origin());
    assert_eq!(found, ("WEIR-SINK-0004", FailureOrigin::Permanent), "{error}");
    assert!(error.to_string().contains("other content"), "{error}");
    assert_eq!(tree(folder.path()), ["out: another\njob\n"]);
}

/// A segment of the job of these tests.
fn segment(folder: &Path, rest_of_name: &str) -> PathBuf {
    folder.join(format!(".out.inprogress/{}-{rest_of_name}", info(0, 1, 1).job))
}

/// Names of the segments without the job, sorted.
fn segments(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join(".out.inprogress")) else { return Vec::new() };
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let of_job = format!("{}-", info(0, 1, 1).job);
    let name = |entry| Some(name(entry).to_str()?.strip_prefix(&of_job)?.to_owned());
    let mut names: Vec<_> = entries.filter_map(name).collect();
    names.sort();
    names
}

/// Regression: segments were swept at the first completed checkpoint of an attempt. A job whose
/// attempts all fail before that filled the disk.
#[test]
fn restarts_without_a_completed_checkpoint_leave_few_segments() {
    for is_killed in [true, false] {
        let (folder, path) = temp();
        let mut first = Rig::open(&path, (0, 1, 1), fresh());
        let state = first.write(&["a"]).checkpoint(1);
        first.close();
        for attempt in 2..30 {
            let mut rig = Rig::open(&path, (0, 1, attempt), copy(&state));
            let before = segments(folder.path());
            assert!(before.is_empty(), "attempt {attempt}: {before:?}");
            rig.write(&["b"]).barrier(2);
            rig.write(&["c", &"x".repeat(300_000)]);
            assert_eq!(segments(folder.path()).len(), 2);
            // A process that is killed closes nothing.
            if is_killed { drop(rig) } else { rig.close() }
        }
        let mut last = Rig::open(&path, (0, 1, 30), state);
        last.write(&["d"]).checkpoint(2);
        last.close();
        assert_eq!(tree(folder.path()), ["out: a\nd\n"]);
    }
}

#[test]
fn restarts_before_the_first_checkpoint_leave_few_segments() {
    let (folder, path) = temp();
    for attempt in 1..30 {
        let mut rig = Rig::open(&path, (0, 1, attempt), fresh());
        let before = segments(folder.path());
        assert!(before.is_empty(), "attempt {attempt}: {before:?}");
        rig.write(&["a"]).barrier(1);
    }
}

/// What a completed checkpoint names may be committed by another subtask than the one that wrote it,
/// and later than that one opens.
#[test]
fn an_early_sweep_spares_what_the_restored_checkpoint_names() {
    let (folder, path) = temp();
    let mut rigs: Vec<_> = (0..2).map(|i| Rig::open(&path, (i, 2, 3), fresh())).collect();
    let states = rigs.iter_mut().zip(["zero", "one"]);
    let mut states: Vec<_> = states.map(|(rig, line)| rig.write(&[line]).barrier(1)).collect();
    let name = super::super::COMMITTABLES_STATE;
    let swapped = [1, 0].map(|i: usize| states[i].lists[name].clone());
    for (state, entries) in states.iter_mut().zip(swapped) {
        state.lists.insert(name.to_owned(), entries);
    }
    drop(rigs);
    for attempt in 4..7 {
        // Only subtask 0 comes as far as to prepare something.
        let mut rig = Rig::open(&path, (0, 2, attempt), copy(&states[0]));
        rig.write(&["lost"]).barrier(2);
        assert_eq!(segments(folder.path()), ["0-3-0".to_owned(), format!("0-{attempt}-0")]);
    }
    let restored = (0..).zip(states);
    let mut rigs: Vec<_> =
        restored.map(|(subtask, state)| Rig::open(&path, (subtask, 2, 7), state)).collect();
    rigs.iter_mut().for_each(|rig| drop(rig.barrier(3)));
    for mut rig in rigs {
        rig.complete(3);
        rig.close();
    }
    assert_eq!(tree(folder.path()), ["out/", "out/part-0: zero\n", "out/part-1: one\n"]);
}

/// An attempt that was stalled may open after the one that has replaced it has prepared output.
#[test]
fn a_stalled_attempt_spares_what_a_newer_one_has_prepared() {
    for is_restored in [false, true] {
        let (folder, path) = temp();
        let process_of_stalled = Arc::new(sink(&path));
        let state = if is_restored {
            let mut first = Rig::open(&path, (0, 1, 1), fresh());
            let state = first.write(&["a"]).checkpoint(1);
            first.close();
            state
        } else {
            fresh()
        };
        let mut newer = Rig::open(&path, (0, 1, 3), copy(&state));
        newer.write(&["b"]).barrier(2);
        let mut stalled = Rig::try_open_in(process_of_stalled, (0, 1, 2), state).unwrap();
        stalled.write(&["lost"]).barrier(2);
        assert_eq!(segments(folder.path()), ["0-2-0", "0-3-0"], "{is_restored}");
        newer.complete(2);
        let expected = if is_restored { "a\nb\n" } else { "b\n" };
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let state = newer.write(&["c"]).barrier(3);
        drop((newer, stalled));
        let mut last = Rig::open(&path, (0, 1, 4), state);
        last.checkpoint(4);
        last.close();
        assert_eq!(tree(folder.path()), [format!("out: {expected}c\n")]);
    }
}

/// Another job has left what it wrote in its fiftieth attempt, before this process began.
/// What an attempt does next when it is suspended.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
enum Step {
    Open,
    Write,
    Prepare,
    Close,
}

#[test]
fn an_attempt_that_was_suspended_changes_nothing_of_the_attempt_that_replaced_it() {
    use Step::*;
    let long_line = "x".repeat(300_000);
    for from_older_checkpoint in [false, true] {
        for suspended in [Open, Write, Prepare, Close] {
            let (folder, path) = temp();
            let mut first = Rig::open(&path, (0, 1, 1), fresh());
            let restored = first.write(&["a"]).checkpoint(1);
            if from_older_checkpoint {
                first.write(&["comes again"]).checkpoint(2);
            }
            drop(first);

            let open = |attempt| Rig::open(&path, (0, 1, attempt), copy(&restored));
            let mut old = None;
            let mut go_on = |step: Step| match step {
                Open => old = Some(open(2)),
                Write => drop(old.as_mut().unwrap().write(&["old", &long_line])),
                Prepare => drop(old.as_mut().unwrap().barrier(3)),
                Close => old.take().unwrap().close(),
            };
            let steps = [Open, Write, Prepare, Close];
            let (before, after): (Vec<_>, Vec<_>) =
                steps.into_iter().partition(|step| *step < suspended);
            before.into_iter().for_each(&mut go_on);
            let mut new = open(3);
            new.write(&["b"]).checkpoint(4);
            new.write(&["c"]).barrier(5);
            for step in after {
                go_on(step);
                let case = format!("{suspended:?}, {step:?}, {from_older_checkpoint}");
                assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n", "{case}");
            }
            new.complete(5);
            new.write(&["d"]).checkpoint(6);
            new.close();
            assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\nd\n");
            // A segment that the old attempt prepared after the last sweep may be left behind.
            let left = segments(folder.path());
            assert!(left.iter().all(|name| name.starts_with("0-2-")), "{left:?}");
        }
    }
}

#[test]
fn a_commit_that_was_suspended_changes_nothing_that_was_committed_later() {
    for from_older_checkpoint in [false, true] {
        let (folder, path) = temp();
        let mut first = Rig::open(&path, (0, 1, 1), fresh());
        let restored = first.write(&["a"]).checkpoint(1);
        if from_older_checkpoint {
            first.write(&["comes again"]).checkpoint(2);
        }
        drop(first);
        let mut old = Rig::open(&path, (0, 1, 2), restored);
        let state = old.write(&["b"]).barrier(3);
        let mut new = Rig::open(&path, (0, 1, 3), state);
        new.write(&["c"]).checkpoint(4);
        old.complete(3);
        old.close();
        new.close();
        assert_eq!(tree(folder.path()), ["out: a\nb\nc\n"]);
    }
}

#[test]
fn a_fresh_start_sweeps_what_a_dead_job_has_left_in_a_later_attempt() {
    let (folder, path) = temp();
    let mut dead = Rig::open(&path, (0, 1, 50), fresh());
    dead.write(&["x"]).barrier(1);
    let left = fs::File::open(segment(folder.path(), "0-50-0")).unwrap();
    left.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    drop(dead);
    let mut rig = Rig::open(&path, (0, 1, 1), fresh());
    rig.write(&["a"]).checkpoint(1);
    rig.close();
    assert_eq!(tree(folder.path()), ["out: a\n"]);
}

#[test]
fn a_segment_that_waits_for_its_commit_is_never_written_over() {
    // Two subtasks swap their committables, and the attempts start from 1 again: what happens
    // when a new job is restored from a checkpoint of an old one.
    let (folder, path) = temp();
    let mut rigs: Vec<_> = (0..2).map(|i| Rig::open(&path, (i, 2, 1), fresh())).collect();
    let states = rigs.iter_mut().zip(["zero", "one"]);
    let mut states: Vec<_> = states.map(|(rig, line)| rig.write(&[line]).barrier(1)).collect();
    let name = super::super::COMMITTABLES_STATE;
    let swapped = [1, 0].map(|i: usize| states[i].lists[name].clone());
    for (state, entries) in states.iter_mut().zip(swapped) {
        state.lists.insert(name.to_owned(), entries);
    }
    drop(rigs);
    let mut states = states.into_iter();
    let mut first = Rig::open(&path, (0, 2, 1), states.next().unwrap());
    first.write(&["two"]).barrier(2); // while subtask 1 is not open yet
    let mut second = Rig::open(&path, (1, 2, 1), states.next().unwrap());
    second.barrier(2);
    for mut rig in [first, second] {
        rig.complete(2);
        rig.close();
    }
    let expected = ["out/", "out/part-0: zero\ntwo\n", "out/part-1: one\n"];
    assert_eq!(tree(folder.path()), expected);
}

#[test]
fn changed_parallelism_loses_and_doubles_nothing() {
    for (before, after) in [(2, 3), (3, 2), (4, 2)] {
        let (folder, path) = temp();
        let mut rigs: Vec<_> =
            (0..before).map(|i| Rig::open(&path, (i, before, 1), fresh())).collect();
        let barrier = |rig: (usize, &mut Rig)| rig.1.write(&[&format!("old {}", rig.0)]).barrier(1);
        let states = rigs.iter_mut().enumerate().map(barrier).collect();
        rigs.iter_mut().for_each(|rig| drop(rig.write(&["lost"]).barrier(2)));
        drop(rigs);

        let mut states = deal(states, after as usize);
        // Twice, so that files that nobody writes are carried through a checkpoint.
        for round in 0..2 {
            let attempt = 2 + round;
            let restored = (0..).zip(states);
            let mut rigs: Vec<_> =
                restored.map(|(i, state)| Rig::open(&path, (i, after, attempt), state)).collect();
            let id = 3 + round;
            let barrier =
                |rig: (usize, &mut Rig)| rig.1.write(&[&format!("new {}", rig.0)]).barrier(id);
            states = rigs.iter_mut().enumerate().map(barrier).collect();
            rigs.into_iter().for_each(|mut rig| {
                rig.complete(id);
                rig.close();
            });
        }
        let files = tree(folder.path())
            .into_iter()
            .filter_map(|entry| entry.split_once(": ").map(|(_, content)| content.to_owned()));
        let mut lines: Vec<String> =
            files.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        lines.sort();
        let mut expected: Vec<String> = (0..before).map(|i| format!("old {i}")).collect();
        expected.extend((0..after).flat_map(|i| [format!("new {i}"), format!("new {i}")]));
        expected.sort();
        assert_eq!(lines, expected, "{before} to {after}: {:?}", tree(folder.path()));
        assert!(!folder.path().join(".out.inprogress").exists(), "{before} to {after}");
        let kept: usize = states.iter().map(|state| state.lists[WRITER_STATE].len()).sum();
        assert_eq!(kept, before.max(after) as usize, "every file has its state");
    }
}

#[test]
fn a_subtask_without_state_does_not_touch_the_part_of_its_name() {
    let (_folder, path) = temp();
    let mut first = Rig::open(&path, (1, 2, 1), fresh());
    first.write(&["old"]).checkpoint(1);
    let without_state = RestoredState { checkpoint: Some(CheckpointId(1)), ..fresh() };
    let mut second = Rig::open(&path, (1, 3, 5), without_state);
    let state = second.write(&["new"]).checkpoint(2);
    Rig::open(&path, (1, 3, 6), state).write(&["newer"]).checkpoint(3);
    assert_eq!(tree(&path), ["part-1-5: new\nnewer\n", "part-1: old\n"]);
}

#[test]
fn a_change_between_one_subtask_and_several_is_refused() {
    for (before, after) in [(1, 2), (2, 1)] {
        let (folder, path) = temp();
        let mut rigs: Vec<_> =
            (0..before).map(|i| Rig::open(&path, (i, before, 1), fresh())).collect();
        let states = rigs.iter_mut().map(|rig| rig.checkpoint(1)).collect();
        let tree_before = tree(folder.path());
        let state = deal(states, after as usize).remove(0);
        let error = Rig::try_open(&path, (0, after, 2), state).err().unwrap();
        assert_eq!((error.code(), error.origin()), ("WEIR-SINK-0005", FailureOrigin::Permanent));
        assert_eq!(tree(folder.path()), tree_before);
    }
}

#[test]
fn a_restored_job_with_another_path_starts_there_anew() {
    let (folder, path) = temp();
    let mut first = Rig::open(&path, (0, 1, 1), fresh());
    first.write(&["a"]);
    let state = first.barrier(1);
    let elsewhere = folder.path().join("elsewhere");
    let mut second = Rig::open(&elsewhere, (0, 1, 2), copy(&state));
    second.write(&["b"]).checkpoint(2);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\n", "the old output is complete");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "b\n");

    let error = Rig::try_open(&elsewhere, (0, 1, 3), state).err().unwrap();
    assert_eq!(error.code(), "WEIR-SINK-0001", "without state of its own nothing is overwritten");
}

#[test]
fn output_that_was_changed_under_the_job_is_an_error() {
    type Change = fn(&Path, &[TextFileCommittable; 2]);
    let cases: &[(&str, Change)] = &[
        ("file gone", |path, _| fs::remove_file(path).unwrap()),
        ("file cut", |path, _| fs::write(path, "a").unwrap()),
        ("segment gone", |_, c| fs::remove_file(&c[1].segment).unwrap()),
        ("segment cut", |_, c| fs::write(&c[0].segment, "b").unwrap()),
        ("file written anew", |path, c| {
            fs::write(path, "a\nBBBB\n").unwrap();
            fs::remove_file(&c[0].segment).unwrap();
            fs::remove_file(&c[1].segment).unwrap();
        }),
        ("both gone", |path, c| {
            fs::remove_file(path).unwrap();
            fs::remove_file(&c[0].segment).unwrap();
        }),
    ];
    for (name, change) in cases {
        let (_folder, path) = temp();
        let (state, committables) = prepared(&path);
        change(&path, &committables);
        let error = Rig::try_open(&path, (0, 1, 2), state).err().unwrap();
        let found = (error.code(), error.origin());
        assert_eq!(found, ("WEIR-SINK-0004", FailureOrigin::Permanent), "{name}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_file_that_somebody_else_made_is_not_overwritten() {
    let (_folder, path) = temp();
    let mut rig = Rig::open(&path, (0, 1, 1), fresh());
    rig.write(&["a"]).barrier(1);
    fs::write(&path, "mine").unwrap();
    let error: Error = rig.0.on_checkpoint_complete(CheckpointId(1)).unwrap_err();
    assert_eq!(error.code(), "WEIR-SINK-0004");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_restore_from_an_older_checkpoint_writes_again_what_came_after_it() {
    let (_folder, path) = temp();
    let mut first = Rig::open(&path, (0, 1, 1), fresh());
    let old = first.write(&["a"]).checkpoint(1);
    first.write(&["b", "and more"]).checkpoint(2);
    first.close();
    let mut second = Rig::open(&path, (0, 1, 2), old);
    second.write(&["c"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nand more\n", "until it is replaced");
    second.checkpoint(3);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nc\n");
}

#[test]
fn a_restore_from_an_older_checkpoint_without_new_lines_takes_back_what_came_after_it() {
    let (folder, path) = temp();
    let mut first = Rig::open(&path, (0, 1, 1), fresh());
    let old = first.write(&["a"]).checkpoint(1);
    first.write(&["b"]).checkpoint(2);
    first.close();
    let mut second = Rig::open(&path, (0, 1, 2), old);
    second.checkpoint(3);
    second.close();
    assert_eq!(tree(folder.path()), ["out: a\n"]);
}

#[test]
fn a_commit_that_replaces_the_file_may_be_cut_off_and_made_by_another_subtask() {
    let long_line = "x".repeat(300_000);
    for is_renamed in [false, true] {
        for is_committed_first in [false, true] {
            let (folder, path) = temp();
            let mut rigs: Vec<_> = (0..2).map(|i| Rig::open(&path, (i, 2, 1), fresh())).collect();
            rigs[0].write(&["a"]);
            let old: Vec<_> = rigs.iter_mut().map(|rig| rig.checkpoint(1)).collect();
            rigs[0].write(&["comes again", "b"]).checkpoint(2);
            let open = |index: usize, attempt, state: &RestoredState| {
                Rig::open(&path, (index as u32, 2, attempt), copy(state))
            };
            let mut rigs: Vec<_> = (0..2).map(|i| open(i, 2, &old[i])).collect();
            rigs[0].write(&["c"]);
            let mut states: Vec<_> = rigs.iter_mut().map(|rig| rig.barrier(3)).collect();
            if is_renamed {
                let segment = segment(folder.path(), "0-2-0");
                fs::rename(segment, path.join("part-0")).unwrap();
            }
            drop(rigs);
            // Subtask 1 has to commit what subtask 0 has prepared.
            let name = super::super::COMMITTABLES_STATE;
            let committables = states[0].lists.remove(name).unwrap();
            states[1].lists.insert(name.to_owned(), committables);
            let order = if is_committed_first { [1, 0] } else { [0, 1] };
            let mut rigs = order.map(|index| {
                let mut rig = open(index, 3, &states[index]);
                if index == 0 {
                    rig.write(&[&long_line]);
                }
                rig
            });
            rigs.iter_mut().for_each(|rig| drop(rig.checkpoint(4)));
            let expected = format!("a\nc\n{long_line}\n");
            assert!(fs::read_to_string(path.join("part-0")).unwrap() == expected);
        }
    }
}
