//! Shared by the tests: folders, configurations, inputs, and outputs read back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};
use weir::{Config, ConfigBuilder, StreamExecutionEnvironment, prelude::*};
use weir_base::SeededRng;

/// Long enough for any job here on any machine: a job that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of one test, removed with everything in it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with this content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder around it")).expect("writable");
        fs::write(&path, content).expect("writable");
        path
    }

    /// Every name in the folder, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("readable");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a plain name");
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("readable"))).collect();
        names.sort();
        names
    }
}

/// A configuration with these settings; no task is given up because the machine is slow.
pub fn config<V: ToString>(settings: impl IntoIterator<Item = (&'static str, V)>) -> Config {
    let builder = ConfigBuilder::new().dynamic("task.cancellation.timeout=2 min");
    let builder = settings.into_iter().fold(builder, |builder, (key, value)| {
        builder.dynamic(format!("{key}={}", value.to_string()))
    });
    let (config, warnings) = builder.build().expect("valid settings");
    assert_eq!(warnings, []);
    config
}

/// An environment with these settings.
pub fn env<V: ToString>(
    settings: impl IntoIterator<Item = (&'static str, V)>,
) -> StreamExecutionEnvironment {
    StreamExecutionEnvironment::with_config(config(settings))
}

/// Runs something that must end by itself; a hang becomes a failure.
pub fn within_patience<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ = sender.send(body());
    });
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("no end after {PATIENCE:?}"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the result is sent before the thread ends"),
        },
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not seen: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Lines of words; a few words are frequent and most are rare. One seed gives one text.
pub fn text(seed: u64, lines: usize) -> Vec<String> {
    let mut rng = SeededRng::new(seed);
    let mut word = || {
        let fraction = rng.fraction();
        format!("w{}", (fraction * fraction * fraction * 400.0) as u32)
    };
    let mut line = |index: usize| (0..index % 12).map(|_| word()).collect::<Vec<_>>().join(" ");
    (0..lines).map(&mut line).collect()
}

/// How often each word occurs, counted without the engine.
pub fn count_words<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        for word in line.as_ref().split_whitespace() {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The lines of an output, file by file: one file, or the part files of a folder.
pub fn read_output(path: &Path) -> Vec<Vec<String>> {
    let files: Vec<PathBuf> = if path.is_dir() {
        let entries = fs::read_dir(path).expect("readable");
        entries.map(|entry| entry.expect("readable").path()).collect()
    } else {
        vec![path.to_owned()]
    };
    let lines = |file: &PathBuf| {
        let text = fs::read_to_string(file).expect("an output file");
        assert!(text.is_empty() || text.ends_with('\n'), "{} is cut off", file.display());
        text.lines().map(str::to_owned).collect()
    };
    files.iter().map(lines).collect()
}

/// The lines of an output, sorted.
pub fn sorted_output(path: &Path) -> Vec<String> {
    let mut lines = read_output(path).concat();
    lines.sort();
    lines
}

/// The counts of each word in every part of an output, in order.
///
/// All counts of a word must be in one part, since the stream is keyed.
#[track_caller]
pub fn updates_by_word(parts: &[Vec<String>]) -> BTreeMap<String, Vec<u64>> {
    let mut all = BTreeMap::new();
    for part in parts {
        let mut of_part: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for line in part {
            let (word, count) = line.rsplit_once(' ').expect("a word and its count");
            of_part.entry(word.to_owned()).or_default().push(count.parse().expect("a number"));
        }
        for (word, counts) in of_part {
            let other = all.insert(word.clone(), counts);
            assert_eq!(other, None, "{word} is counted in two parts");
        }
    }
    all
}

/// Checks that an output has, for each word, exactly the updates 1, 2, … n, in this order.
#[track_caller]
pub fn assert_each_update_once(output: &Path, expected: &BTreeMap<String, u64>) {
    let found = updates_by_word(&read_output(output));
    for (word, counts) in &found {
        let Some(expected) = expected.get(word) else { panic!("{word} is not in the input") };
        if let Some(at) = (0..).zip(counts).position(|(at, count)| *count != at + 1) {
            panic!("updates of {word} break off: {:?}", &counts[at.saturating_sub(2)..=at]);
        }
        assert_eq!(counts.len() as u64, *expected, "number of updates of {word}");
    }
    assert_eq!(found.len(), expected.len(), "words are missing");
}

/// Checks that an output has each word once, with its count.
#[track_caller]
pub fn assert_final_counts(output: &Path, expected: &BTreeMap<String, u64>) {
    let found = updates_by_word(&read_output(output));
    let wanted: BTreeMap<String, Vec<u64>> =
        expected.iter().map(|(word, count)| (word.clone(), vec![*count])).collect();
    assert_eq!(found, wanted);
}

/// Counts words the way every author writes it first.
pub fn count(lines: DataStream<Text>) -> DataStream<(Text, u64)> {
    lines.flat_map(split_words).key_by(|(word, _)| word.clone()).sum(|(_, count)| count)
}

pub fn split_words(line: Text, out: &mut Collector<(Text, u64)>) {
    out.extend(line.split_whitespace().map(|word| (Text::from(word), 1)));
}

/// `word count`.
pub fn as_line((word, count): &(Text, u64), out: &mut String) {
    out.push_str(&format!("{word} {count}"));
}
