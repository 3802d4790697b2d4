//! Calls that a brain must not make, and sockets and real time in the simulation.
//!
//! Reads text, so it also sees what only one platform or feature compiles; clippy, which resolves
//! names, guards the same border in each brain's `clippy.toml`. Comments, strings and tests do
//! not count.

use super::Problem;
use super::source;
use super::table::{Purity, ROWS, Row};
use super::tree::SourceFile;

const CLOCKS: &[&str] = &["Instant::now", "SystemTime::now"];
const WAITING: &[&str] = &["thread::sleep", "sleep("];
const SOCKETS: &[&str] =
    &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener", "std::net", "tokio"];
const THREADS: &[&str] = &["thread::spawn", "thread::Builder", "thread::scope"];
const RANDOMNESS: &[&str] = &["thread_rng", "rand::rng", "rand::random"];
const FILES: &[&str] = &["std::fs", "fs::", "File::"];
const UNORDERED: &[&str] = &["HashMap", "HashSet"];

/// Banned calls in the sources of the crates whose row asks for purity.
pub fn check(sources: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for row in ROWS.iter().filter(|row| row.pure != Purity::Free) {
        let folder = format!("{}/", row.path);
        for file in sources.iter().filter(|file| file.path.starts_with(&folder)) {
            if !source::is_test_file(&file.path) {
                problems.extend(check_file(row, file));
            }
        }
    }
    problems
}

fn check_file(row: &Row, file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, line) in source::code(&file.text).lines().enumerate() {
        for (calls, instead) in banned(row.pure) {
            for call in calls.iter().filter(|call| names(line, call)) {
                let place = format!("{}:{}", file.path, index + 1);
                let call = call.trim_end_matches(['(', ':']);
                problems
                    .push(Problem::new(place, format!("`{call}` in {}: {instead}", row.package)));
            }
        }
    }
    problems
}

/// Banned calls, with what to do instead.
fn banned(purity: Purity) -> Vec<(&'static [&'static str], &'static str)> {
    let simulated = [
        (CLOCKS, "time comes in with `step`, as `Now`"),
        (WAITING, "return the time from `next_deadline`"),
        (SOCKETS, "what is sent is an effect, what arrives an input"),
    ];
    let brain = [
        (THREADS, "work of another thread is an effect"),
        (RANDOMNESS, "use the injected, seeded generator"),
        (FILES, "persisting is an effect, done by the shell"),
        (UNORDERED, "its order can reach an effect; use a BTreeMap or BTreeSet"),
    ];
    match purity {
        Purity::Free => Vec::new(),
        Purity::Simulated => simulated.to_vec(),
        Purity::Brain => simulated.into_iter().chain(brain).collect(),
    }
}

/// Whether a line names the call as whole words.
fn names(line: &str, call: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(call).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + call.len()..]);
        !before.ends_with(is_word) && (!call.ends_with(is_word) || !after.starts_with(is_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.into(), text: text.into() };
        check(&[file]).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn each_banned_call_is_found_in_a_brain() {
        let calls = [
            "let now = std::time::Instant::now();",
            "SystemTime::now()",
            "std::thread::spawn(f)",
            "thread::sleep(d)",
            "sleep(d).await",
            "rand::thread_rng()",
            "rand::rng()",
            "use std::fs;",
            "fs::read(p)",
            "File::open(p)",
            "TcpStream::connect(a)",
            "use std::net::TcpListener;",
            "UdpSocket",
            "use std::collections::HashMap;",
            "HashSet::new()",
            "use tokio::sync::mpsc;",
        ];
        for call in calls {
            assert!(!problems("streaming/coordination/src/a.rs", call).is_empty(), "{call}");
            assert!(!problems("resource-manager/brain/src/a.rs", call).is_empty(), "{call}");
            assert!(!problems("node-agent/brain/src/a.rs", call).is_empty(), "{call}");
            assert!(!problems("app-master/brain/src/a.rs", call).is_empty(), "{call}");
            assert!(problems("streaming/runtime/src/a.rs", call).is_empty(), "{call}");
            assert!(problems("resource-manager/src/a.rs", call).is_empty(), "{call}");
        }
    }

    #[test]
    fn the_line_is_named() {
        let found = problems("streaming/coordination/src/a.rs", "//! Doc.\n\nInstant::now()");
        assert!(found[0].starts_with("streaming/coordination/src/a.rs:3: `Instant::now`"));
    }

    #[test]
    fn comments_strings_tests_and_longer_identifiers_pass() {
        let text = "// no HashMap\nlet a = \"std::fs\"; profile::File; dfs::walk(); MyHashMap; \
                    asleep(); Profile::new(); tokio_less();\n\
                    #[cfg(test)]\nmod tests { use std::collections::HashSet; }\n";
        assert_eq!(problems("streaming/coordination/src/a.rs", text), Vec::<String>::new());
        let in_test = problems("streaming/coordination/tests/it/main.rs", "Instant::now()");
        assert_eq!(in_test, Vec::<String>::new());
    }

    #[test]
    fn simulation_has_no_socket_and_no_real_time_but_threads() {
        assert_eq!(problems("simulation/src/a.rs", "Instant::now()").len(), 1);
        assert_eq!(problems("simulation/src/a.rs", "TcpStream::connect(a)").len(), 1);
        assert!(problems("simulation/src/a.rs", "thread::scope(f); HashMap::new()").is_empty());
    }
}
