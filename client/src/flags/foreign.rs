//! Actions and flags of Flink that `weir` does not have: why, and what to do instead. They are looked for
//! before the parser sees the command line, which would read `-yid` as three flags of one letter.
//!
//! `docs/coming-from-flink.md` says the same for the reader; a test here compares both and the parser's
//! definition.

use super::multi_letter::flags_of;
use crate::problem::Problem;
use std::ffi::OsString;

const PAGE: &str = "docs/coming-from-flink.md";
const CODE: &str = "WEIR-CLI-0010";

/// Whether there will be such a thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// It is planned.
    NotYet,
    /// It has no meaning here, or another name.
    Never,
}
use Standing::{Never, NotYet};

/// An action of Flink that is not one of `weir`.
struct ForeignAction {
    name: &'static str,
    standing: Standing,
    why: &'static str,
    instead: &'static str,
}

/// A flag of Flink that an action of `weir` does not have.
struct ForeignFlag {
    actions: &'static [&'static str],
    /// All its spellings, with hyphens.
    names: &'static [&'static str],
    standing: Standing,
    why: &'static str,
    instead: &'static str,
}

const NO_SAVEPOINTS: &str = "Weir has no savepoints";
const PERIODIC: &str = "a job with `-D execution.checkpointing.interval=10s` takes checkpoints by itself and \
                        goes on from the last one when it fails";
const NO_SESSIONS: &str = "Weir has no session clusters";
const PER_JOB: &str = "`weir run -t per-job EXECUTABLE` gives each job an application of its own";
const NO_SQL: &str = "Weir has no SQL";
const WRITE_A_PROGRAM: &str = "write the query as a program with the crate `weir`";
const NATIVE: &str = "a job is a native executable, not a jar";
const NO_PYTHON: &str = "Weir runs no Python: a job is a native executable";
const USE_RUST: &str = "write the job in Rust with the crate `weir`, see README.md";
const START_HERE: &str = "`weir cluster start` starts the daemons of a cluster on this machine";

macro_rules! actions {
    ($($name:literal $standing:ident $why:expr, $instead:expr;)+) => {
        &[$(ForeignAction { name: $name, standing: $standing, why: $why, instead: $instead }),+]
    };
}

static ACTIONS: &[ForeignAction] = actions! {
    "stop" NotYet NO_SAVEPOINTS, "`weir cancel JOB` ends a job without a savepoint";
    "savepoint" NotYet NO_SAVEPOINTS, PERIODIC;
    "checkpoint" NotYet "a checkpoint cannot be triggered by hand", PERIODIC;
    "run-application" NotYet "`main` runs in the client, not in the app master", PER_JOB;
    "yarn-session" NotYet NO_SESSIONS, "`weir cluster start` starts a cluster, `weir run -t per-job \
        EXECUTABLE` runs a job on it";
    "kubernetes-session" Never "Weir does not run on Kubernetes", START_HERE;
    "sql-client" NotYet NO_SQL, WRITE_A_PROGRAM;
    "sql-gateway" NotYet NO_SQL, WRITE_A_PROGRAM;
    "start-cluster" Never "it is called `weir cluster start`", START_HERE;
    "stop-cluster" Never "it is called `weir cluster stop`", "`weir cluster stop` ends a cluster and all its \
        applications";
    "jobmanager" Never "each job has a JobManager in an app master of its own", START_HERE;
    "taskmanager" Never "node agents start task managers when a job needs them", START_HERE;
    "standalone-job" Never "a job needs no cluster of its own", "`weir run EXECUTABLE` runs a job in its own \
        process";
    "historyserver" Never "the resource manager keeps what is known of jobs that have ended", "`weir list -a` \
        shows them, and so does the page of the resource manager";
    "yarn" Never "the commands of YARN are actions of `weir`", "use `weir application`, `weir node` and `weir \
        logs`";
};

macro_rules! flags {
    ($([$($action:literal)+] $($name:literal),+ => $standing:ident $why:expr, $instead:expr;)+) => {
        &[$(ForeignFlag {
            actions: &[$($action),+],
            names: &[$($name),+],
            standing: $standing,
            why: $why,
            instead: $instead,
        }),+]
    };
}

static FLAGS: &[ForeignFlag] = flags! {
    ["run" "info"] "-c", "--class" => Never NATIVE, "name the executable: it has one `main`";
    ["run"] "-C", "--classpath" => Never NATIVE, "link what the job needs into the executable";
    ["run"] "-s", "--fromSavepoint" => NotYet NO_SAVEPOINTS, "a job that fails goes on from its last checkpoint \
        by itself; a local job with `execution.checkpointing.dir` also does when it is started again";
    ["run"] "-n", "--allowNonRestoredState" => NotYet NO_SAVEPOINTS, "leave it out: a new job starts without \
        state";
    ["run"] "-cm", "--claimMode" => NotYet NO_SAVEPOINTS, "leave it out: a new job starts without state";
    ["run"] "-rm", "--restoreMode" => NotYet NO_SAVEPOINTS, "leave it out: a new job starts without state";
    ["run"] "-a", "--arguments" => Never "arguments stand behind the executable", "write `weir run EXECUTABLE \
        ARGS`";
    ["run" "info"] "-j", "--jarfile" => Never NATIVE, "name the executable behind the flags";
    ["run"] "-py", "--python" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pym", "--pyModule" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pyfs", "--pyFiles" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pyreq", "--pyRequirements" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pyarch", "--pyArchives" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pyexec", "--pyExecutable" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pyclientexec", "--pyClientExecutable" => Never NO_PYTHON, USE_RUST;
    ["run"] "-pypath", "--pyPythonPath" => Never NO_PYTHON, USE_RUST;
    ["run" "cancel"] "-m", "--jobmanager" => NotYet NO_SESSIONS, "`-t per-job` runs a job on a cluster, and \
        `--cluster HOST:PORT` names the resource manager; `-m yarn-cluster` is `-t per-job`";
    ["run" "list" "cancel"] "-e", "--executor" => Never "Flink has replaced it by -t", "use `-t`";
    ["run" "list" "cancel"] "-z", "--zookeeperNamespace" => Never "Weir needs no ZooKeeper", "leave it out: a \
        job outlives its app master without it";
    ["run" "list" "cancel"] "--verbose" => Never "it does nothing in Flink either", "leave it out";
    ["run"] "-v" => Never "it does nothing in Flink either", "leave it out";
    ["list" "cancel"] "-t", "--target" => Never "jobs are found on the cluster, whatever they run in", "leave it \
        out, or name the resource manager with `--cluster HOST:PORT`";
    ["list" "cancel"] "-D" => Never "the cluster is named by flags", "use `--cluster HOST:PORT` or `--data-dir \
        DIR`";
    ["cancel"] "-s", "--withSavepoint" => NotYet NO_SAVEPOINTS, "`weir cancel JOB` ends a job without a savepoint";
    ["cancel"] "-type", "--type" => NotYet NO_SAVEPOINTS, "`weir cancel JOB` ends a job without a savepoint";
    ["run" "list" "cancel"] "-yid", "--yarnapplicationId" => NotYet NO_SESSIONS, PER_JOB;
    ["run"] "-yjm", "--yarnjobManagerMemory" => Never "a configuration key sets this", "use `-D \
        jobmanager.memory.process.size=SIZE`";
    ["run"] "-ytm", "--yarntaskManagerMemory" => Never "a configuration key sets this", "use `-D \
        taskmanager.memory.process.size=SIZE`";
    ["run"] "-ys", "--yarnslots" => Never "a configuration key sets this", "use `-D \
        taskmanager.numberOfTaskSlots=N`";
    ["run"] "-yqu", "--yarnqueue" => NotYet "there is one queue, which is first in, first out", "leave it out";
    ["run"] "-ynm", "--yarnname" => Never "a configuration key sets this", "use `-D yarn.application.name=NAME`";
    ["run"] "-yat", "--yarnapplicationType" => NotYet "the type of a job's application is WEIR", "leave it out";
    ["run"] "-ynl", "--yarnnodeLabel" => NotYet "nodes have no labels", "leave it out";
    ["run"] "-yt", "--yarnship" => NotYet "no files are sent with a job", "read them from a folder that all nodes \
        have, or build them into the executable with `include_bytes!`";
    ["run"] "-yj", "--yarnjar" => Never NATIVE, "leave it out: `weir` sends itself to the cluster";
    ["run"] "-yz", "--yarnzookeeperNamespace" => Never "Weir needs no ZooKeeper", "leave it out: a job outlives \
        its app master without it";
    ["run"] "-yD" => Never "it is written -D", "use `-D KEY=VALUE`";
    ["run"] "-yq", "--yarnquery" => Never "another action shows this", "use `weir node list` or `weir cluster status`";
    ["run"] "-yh", "--yarnhelp" => Never "Weir has no separate flags for YARN", "use `weir run --help`";
    ["run"] "-yd", "--yarndetached" => Never "Flink has removed it", "use `-d`";
};

/// Why a command line cannot be meant for `weir`, if it is one of Flink's that has no equal here.
pub fn refusal(words: &[OsString]) -> Option<Problem> {
    let action = words.get(1)?.to_str()?;
    let plain = action.strip_suffix(".sh").unwrap_or(action);
    if let Some(foreign) = ACTIONS.iter().find(|foreign| foreign.name == plain) {
        return Some(foreign.problem());
    }
    flags_of(action, words)?.iter().find_map(|typed| foreign_flag(action, typed))
}

fn foreign_flag(action: &str, typed: &str) -> Option<Problem> {
    let name = typed.split('=').next().unwrap_or(typed);
    let is_it = |flag: &&ForeignFlag| flag.actions.contains(&action) && flag.names.contains(&name);
    FLAGS.iter().find(is_it).map(|flag| flag.problem(action, name))
}

impl ForeignAction {
    fn problem(&self) -> Problem {
        let what = spelling(self.standing, &format!("there is no `weir {}`", self.name), self.why);
        problem(what, self.instead, "actions")
    }
}

impl ForeignFlag {
    fn problem(&self, action: &str, name: &str) -> Problem {
        let what = spelling(self.standing, &format!("`weir {action}` has no {name}"), self.why);
        problem(what, self.instead, &format!("flags-of-flink-{action}"))
    }
}

/// The first line of an error: what is missing, whether there will be such a thing, and why it is missing.
pub(super) fn spelling(standing: Standing, missing: &str, why: &str) -> String {
    match standing {
        NotYet => format!("{missing} yet: {why}"),
        Never => format!("{missing}: {why}"),
    }
}

/// The error for a word that is not one of `weir`, with a link to a headline of the page.
pub(super) fn problem(what: String, instead: &str, anchor: &str) -> Problem {
    let help = format!("{instead}; {PAGE}#{anchor} lists what Weir does not have");
    Problem::usage(what).code(CODE).help(help)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::flags::Cli;
    use crate::flags::multi_letter::has_flag;
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    /// Flags that Flink does not have.
    const OURS: &[&str] = &["--cluster", "--token-file", "--data-dir", "--output", "--config"];

    /// Rows of the tables below a headline of the page, cell by cell.
    pub fn rows(headline: &str) -> Vec<Vec<String>> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coming-from-flink.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let section = page.split("\n## ").find(|section| section.starts_with(headline));
        let section = section.unwrap_or_else(|| panic!("there is no headline {headline:?}"));
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let cells = |row: &str| {
            let row = row.trim_matches('|').replace("\\|", "/");
            row.split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        rows.map(cells).collect()
    }

    /// The texts between backticks.
    pub fn quoted(cell: &str) -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    pub fn standing_of(cell: &str) -> Option<Standing> {
        match cell {
            "yes" => None,
            "not yet" => Some(NotYet),
            other => {
                assert!(other.starts_with("never, because "), "{other:?} is no standing");
                Some(Never)
            }
        }
    }

    #[test]
    fn page_lists_each_flag_with_its_support() {
        let command = Cli::command();
        for action in ["run", "list", "cancel", "info"] {
            let mut told = BTreeSet::new();
            for row in rows(&format!("Flags of flink {action}\n")) {
                let standing = standing_of(&row[1]);
                for name in quoted(&row[0]) {
                    let is_ours = has_flag(action, &name);
                    assert_eq!(is_ours, standing.is_none(), "{action} {name}: the page is stale");
                    let foreign = FLAGS.iter().find(|flag| {
                        flag.actions.contains(&action) && flag.names.contains(&name.as_str())
                    });
                    let found = foreign.map(|flag| flag.standing);
                    assert_eq!(found, standing, "{action} {name}: the page and the table differ");
                    told.insert(name);
                }
            }
            let of_action = FLAGS.iter().filter(|flag| flag.actions.contains(&action));
            for name in of_action.flat_map(|flag| flag.names) {
                assert!(told.contains(*name), "the page lacks {action} {name}");
            }
            let subcommand = command.find_subcommand(action).expect("ours");
            for argument in subcommand.get_arguments().filter(|argument| !argument.is_positional())
            {
                let long = argument.get_long().map(|long| format!("--{long}"));
                let short = argument.get_short().map(|short| format!("-{short}"));
                for name in long.into_iter().chain(short) {
                    let is_known = told.contains(&name) || OURS.contains(&name.as_str());
                    assert!(is_known, "the page lacks {action} {name}");
                }
            }
        }
    }

    #[test]
    fn page_lists_each_action_with_its_support() {
        let command = Cli::command();
        let mut told = BTreeSet::new();
        for row in rows("Actions\n") {
            let standing = standing_of(&row[1]);
            for name in quoted(&row[0]) {
                let is_ours = command.find_subcommand(&name).is_some();
                assert_eq!(is_ours, standing.is_none(), "{name}: the page is stale");
                let foreign = ACTIONS.iter().find(|action| action.name == name);
                assert_eq!(foreign.map(|action| action.standing), standing, "{name}");
                told.insert(name);
            }
        }
        for action in ACTIONS {
            assert!(told.contains(action.name), "the page lacks {}", action.name);
        }
    }

    /// Actions that do not exist have no flags: each row has the standing of its action, or is never.
    #[test]
    fn flags_of_actions_that_are_not_there_are_not_there() {
        for action in ["stop", "savepoint", "checkpoint", "yarn-session"] {
            let rows = rows(&format!("Flags of flink {action}\n"));
            assert!(!rows.is_empty(), "{action}");
            assert!(Cli::command().find_subcommand(action).is_none(), "{action} is there now");
            for row in rows {
                assert!(standing_of(&row[1]).is_some(), "{action} {}", row[0]);
            }
        }
    }
}
