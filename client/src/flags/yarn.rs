//! Commands of `yarn` and their options, which `weir` spells in another way or does not have: what to type
//! instead. They are looked for before the parser sees the command line.
//!
//! `docs/coming-from-flink.md` says the same for the reader; a test here compares both and the parser's
//! definition.

use super::foreign::Standing::{self, Never, NotYet};
use super::foreign::{problem, spelling};
use super::multi_letter::flags_of;
use crate::problem::Problem;
use std::ffi::OsString;

/// A command of YARN that is not an action of `weir`, or an option of a command that is one.
struct YarnWord {
    /// The command: `application` of `yarn application`.
    command: &'static str,
    /// All spellings of the option, with hyphens; none for the command itself.
    options: &'static [&'static str],
    standing: Standing,
    why: &'static str,
    instead: &'static str,
}

const NO_HYPHEN: &str = "this is an action of its own, without a hyphen";
const TWO_HYPHENS: &str = "the flag has two hyphens";
const OTHER_NAME: &str = "the flag has another name";
const FIRST_IN_FIRST_OUT: &str = "there is one queue, which is first in, first out";
const NO_TYPES: &str = "applications are not selected by type or tag";
const TYPES_IN_JSON: &str =
    "`weir application list --output json` contains type and tags of each application";
const ONE_LOG_STORE: &str = "the logs stay on the nodes, and the resource manager finds them";
const LEAVE_IT_OUT: &str = "leave it out";
const WHOLE_LOGS: &str = "logs are printed whole";
const PIPE_THE_LOGS: &str = "use `weir logs APPLICATION | tail` or `> FILE`";
const NODE_IN_JSON: &str =
    "`weir node list --all --output json` contains all that is known of each node";

macro_rules! words {
    ($([$command:literal $($option:literal)*] => $standing:ident $why:expr, $instead:expr;)+) => {
        &[$(YarnWord {
            command: $command,
            options: &[$($option),*],
            standing: $standing,
            why: $why,
            instead: $instead,
        }),+]
    };
}

static WORDS: &[YarnWord] = words! {
    ["app"] => Never "it is called `weir application`", "use `weir application list`, `weir application status` or \
        `weir application kill`";
    ["applicationattempt"] => NotYet "no action shows attempts", "the page of the resource manager shows the attempts \
        of each application";
    ["container"] => NotYet "no action shows containers", "the page of the resource manager shows the containers of \
        each application, `weir logs APPLICATION` prints their logs";
    ["queue"] => NotYet FIRST_IN_FIRST_OUT, "`weir cluster status` shows the resources in use";
    ["top"] => NotYet "no action shows the cluster without end", "use `weir cluster status`, or the page of the \
        resource manager";
    ["jar"] => Never "a job is a native executable, not a jar", "use `weir run -t per-job EXECUTABLE`";
    ["rmadmin"] => NotYet "a running resource manager cannot be administered", "`weir cluster stop` and `weir cluster \
        start` apply new settings";
    ["nodemanager"] => Never "it is called `weir node-agent`", "`weir cluster start` starts node agents on this \
        machine, `weir node-agent` starts one";
    ["resourcemanager"] => Never "it is called `weir resource-manager`", "`weir cluster start` starts it";

    ["application" "-list"] => Never NO_HYPHEN, "use `weir application list`";
    ["application" "-status"] => Never NO_HYPHEN, "use `weir application status APPLICATION`";
    ["application" "-kill"] => Never NO_HYPHEN, "use `weir application kill APPLICATION`";
    ["application" "-appStates"] => Never OTHER_NAME, "use `weir application list --states STATES`";
    ["application" "-appTypes"] => NotYet NO_TYPES, TYPES_IN_JSON;
    ["application" "-appTags"] => NotYet NO_TYPES, TYPES_IN_JSON;
    ["application" "-movetoqueue" "-changeQueue" "-queue"] => NotYet FIRST_IN_FIRST_OUT, LEAVE_IT_OUT;
    ["application" "-updatePriority"] => NotYet FIRST_IN_FIRST_OUT, LEAVE_IT_OUT;
    ["application" "-updateLifetime"] => NotYet "applications have no lifetime", "use `weir application kill \
        APPLICATION`";
    ["application" "-appId"] => Never "the id of an application is an argument", "write it behind the action";
    ["application" "-help"] => Never TWO_HYPHENS, "use `weir application --help`";

    ["node" "-list"] => Never NO_HYPHEN, "use `weir node list`";
    ["node" "-all"] => Never TWO_HYPHENS, "use `weir node list --all`";
    ["node" "-states"] => NotYet "nodes are not selected by state", "`weir node list --all` shows the state of each \
        node";
    ["node" "-status" "-showDetails"] => NotYet "no action shows one node", NODE_IN_JSON;
    ["node" "-help"] => Never TWO_HYPHENS, "use `weir node --help`";

    ["logs" "-applicationId"] => Never "the id of an application is an argument", "use `weir logs APPLICATION`";
    ["logs" "-containerId"] => Never OTHER_NAME, "use `weir logs --container CONTAINER APPLICATION`";
    ["logs" "-log_files" "-logFiles"] => Never OTHER_NAME, "use `weir logs --file stderr APPLICATION`";
    ["logs" "-log_files_pattern"] => NotYet "a container has two files", "use `weir logs --file stderr APPLICATION`";
    ["logs" "-am"] => Never "the logs of the app master come first", "use `weir logs APPLICATION`";
    ["logs" "-appOwner"] => Never "logs are found by the id alone", LEAVE_IT_OUT;
    ["logs" "-nodeAddress" "-list_nodes"] => Never ONE_LOG_STORE, LEAVE_IT_OUT;
    ["logs" "-show_container_log_info" "-show_application_log_info"] => NotYet "logs are not listed", "`weir logs \
        APPLICATION` prints them all, each with a header";
    ["logs" "-out" "-size" "-size_limit_mb"] => NotYet WHOLE_LOGS, PIPE_THE_LOGS;
    ["logs" "-client_max_retries" "-client_retry_interval_ms"] => Never "`weir logs -f` waits by itself", LEAVE_IT_OUT;
    ["logs" "-help"] => Never TWO_HYPHENS, "use `weir logs --help`";
};

/// The `weir` command for a command line of `yarn`, if it is one; it may begin with the word `yarn`.
pub fn refusal(words: &[OsString]) -> Option<Problem> {
    let (first, rest) = words.split_first()?;
    if rest.first().is_some_and(|word| word == "yarn") {
        let without: Vec<_> = std::iter::once(first).chain(&rest[1..]).cloned().collect();
        return refusal(&without);
    }
    let command = rest.first()?.to_str()?;
    if let Some(word) = of(command).find(|word| word.options.is_empty()) {
        return Some(word.of_command());
    }
    let typed = flags_of(command, words)?;
    let found: Vec<(&YarnWord, &str)> =
        typed.iter().filter_map(|text| option(command, text)).collect();
    let ((word, typed), _) = found.split_first()?;
    let mut instead: Vec<&str> = Vec::new();
    for (word, _) in &found {
        if !instead.contains(&word.instead) {
            instead.push(word.instead);
        }
    }
    let what = spelling(word.standing, &format!("`weir {command}` has no {typed}"), word.why);
    Some(problem(what, &instead.join("; "), &format!("options-of-yarn-{command}")))
}

fn of(command: &str) -> impl Iterator<Item = &'static YarnWord> {
    WORDS.iter().filter(move |word| word.command == command)
}

fn option<'a>(command: &str, typed: &'a str) -> Option<(&'static YarnWord, &'a str)> {
    let name = typed.split('=').next().unwrap_or(typed);
    of(command).find(|word| word.options.contains(&name)).map(|word| (word, name))
}

impl YarnWord {
    fn of_command(&self) -> Problem {
        let what =
            spelling(self.standing, &format!("there is no `weir {}`", self.command), self.why);
        problem(what, self.instead, "commands-of-yarn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Cli;
    use crate::flags::foreign::tests::{quoted, rows, standing_of};
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    fn answer(line: &str) -> Option<(String, String)> {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        refusal(&words).map(|problem| (problem.what, problem.help.unwrap_or_default()))
    }

    #[test]
    fn command_of_yarn_is_answered_with_the_one_of_weir() {
        for (line, expect) in [
            ("weir application -list", "use `weir application list`"),
            ("weir app -list", "use `weir application list`"),
            ("weir yarn application -list", "use `weir application list`"),
            ("weir application list -appStates ALL", "use `weir application list --states STATES`"),
            (
                "weir application -kill application_1_0001",
                "use `weir application kill APPLICATION`",
            ),
            ("weir logs -applicationId application_1_0001", "use `weir logs APPLICATION`"),
            ("weir node -list -all", "use `weir node list`; use `weir node list --all`"),
            ("weir container -list", "the page of the resource manager"),
            ("weir queue -status default", "`weir cluster status`"),
        ] {
            let (_, help) = answer(line).unwrap_or_else(|| panic!("{line} is not answered"));
            assert!(help.starts_with(expect), "{line}: {help}");
        }
        for line in [
            "weir application list",
            "weir logs -f a",
            "weir node list --all",
            "weir yarn",
            "weir run -list",
        ] {
            assert_eq!(answer(line), None, "{line}");
        }
    }

    /// Every command that a help names, with its flags, is accepted by the parser.
    #[test]
    fn commands_that_are_recommended_exist() {
        for command in WORDS.iter().flat_map(|word| quoted(word.instead)) {
            let mut parser = Cli::command();
            let mut words = command.split_whitespace();
            if words.next() != Some("weir") {
                continue;
            }
            for word in words.take_while(|word| *word != "|") {
                if let Some(flag) = word.strip_prefix("--") {
                    parser.build();
                    let found =
                        parser.get_arguments().any(|argument| argument.get_long() == Some(flag));
                    assert!(found, "{command}: there is no {word}");
                } else if word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
                    && parser.has_subcommands()
                {
                    parser = parser
                        .find_subcommand(word)
                        .unwrap_or_else(|| panic!("{command}: {word}"))
                        .clone();
                }
            }
        }
    }

    #[test]
    fn page_lists_each_command_and_option_of_yarn_with_its_support() {
        let compare = |headline: &str, expect: BTreeSet<(String, Standing)>| {
            let told = rows(headline).into_iter().flat_map(|row| {
                let standing = standing_of(&row[1]);
                quoted(&row[0]).into_iter().filter_map(move |name| Some((name, standing?)))
            });
            let told: BTreeSet<_> = told.collect();
            assert_eq!(told, expect, "{headline}: the page and the table differ");
        };
        let commands = WORDS.iter().filter(|word| word.options.is_empty());
        compare(
            "Commands of yarn\n",
            commands.map(|word| (word.command.to_owned(), word.standing)).collect(),
        );
        for command in ["application", "node", "logs"] {
            let options = of(command).flat_map(|word| {
                word.options.iter().map(|name| ((*name).to_owned(), word.standing))
            });
            compare(&format!("Options of yarn {command}\n"), options.collect());
        }
        for row in rows("Commands of yarn\n").iter().filter(|row| standing_of(&row[1]).is_none()) {
            for name in quoted(&row[0]) {
                assert!(
                    Cli::command().find_subcommand(&name).is_some(),
                    "{name}: the page is stale"
                );
            }
        }
    }
}
