//! Flags of several letters behind one hyphen, as Flink has them (`-sae`). The parser would read them
//! as several flags of one letter each, so they are spelled out before it sees them.

use super::Cli;
use clap::{Arg, Command, CommandFactory};
use std::ffi::OsString;

/// Action, flag as typed, and as the parser knows it.
const FLAGS: [(&str, &str, &str); 1] = [("run", "-sae", "--shutdownOnAttachedExit")];

/// The same command line with such flags spelled out, up to the first word that is no flag: what
/// follows belongs to the program.
pub fn spelled_out(mut words: Vec<OsString>) -> Vec<OsString> {
    let Some(action) = words.get(1).and_then(|word| word.to_str()).map(str::to_owned) else {
        return words;
    };
    for place in places_of_flags(&action, &words) {
        let typed = words[place].to_str();
        let long = FLAGS.iter().find(|(of, short, _)| *of == action && typed == Some(*short));
        if let Some((_, _, long)) = long {
            words[place] = OsString::from(long);
        }
    }
    words
}

/// The flags of an action as typed, without those of the program that it runs; `None` when there is no
/// such action.
pub fn flags_of(action: &str, words: &[OsString]) -> Option<Vec<String>> {
    Cli::command().find_subcommand(action)?;
    let places = places_of_flags(action, words).into_iter();
    Some(places.filter_map(|place| words[place].to_str().map(str::to_owned)).collect())
}

/// Whether a flag, spelled with its hyphens, is one that an action of `weir` has.
#[cfg(test)]
pub fn has_flag(action: &str, flag: &str) -> bool {
    let is_spelled_out = FLAGS.iter().any(|(of, short, _)| *of == action && *short == flag);
    let mut command = Cli::command();
    // Adds the flags for help.
    command.build();
    is_spelled_out || argument(&command, action, flag).is_some()
}

/// Positions of flags, not of their values. The arguments of a program end the search.
fn places_of_flags(action: &str, words: &[OsString]) -> Vec<usize> {
    let command = Cli::command();
    let Some(subcommand) = command.find_subcommand(action) else { return Vec::new() };
    let runs_program = subcommand.get_positionals().any(Arg::is_trailing_var_arg_set);
    let mut places = Vec::new();
    let mut place = 2;
    while let Some(word) = words.get(place) {
        let text = word.to_string_lossy();
        if text == "--" || (runs_program && !text.starts_with('-')) {
            break;
        }
        let mut step = 1;
        if text.starts_with('-') && text.len() > 1 {
            places.push(place);
            let takes_next =
                argument(&command, action, &text).is_some_and(|of| of.get_action().takes_values());
            step += usize::from(takes_next);
        }
        place += step;
    }
    places
}

/// The definition of a flag that has no value.
fn argument<'a>(command: &'a Command, action: &str, flag: &str) -> Option<&'a Arg> {
    let subcommand = command.find_subcommand(action)?;
    subcommand.get_arguments().find(|argument| match flag.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => flag.chars().count() == 2 && argument.get_short() == flag.chars().nth(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn only_flags_before_the_executable_are_spelled_out() {
        for (line, expect) in [
            ("weir run -sae job", "weir run --shutdownOnAttachedExit job"),
            ("weir run -p 2 -Da=b -sae job", "weir run -p 2 -Da=b --shutdownOnAttachedExit job"),
            ("weir run job -sae", "weir run job -sae"),
            ("weir run -- -sae", "weir run -- -sae"),
            ("weir run --config -sae job", "weir run --config -sae job"),
            ("weir run --config=x -sae job", "weir run --config=x --shutdownOnAttachedExit job"),
            ("weir info -sae job", "weir info -sae job"),
            ("weir", "weir"),
        ] {
            assert_eq!(spelled_out(words(line)), words(expect), "{line}");
        }
    }

    #[test]
    fn flags_of_the_program_are_not_those_of_the_action() {
        for (line, expect) in [
            ("weir run -p 2 -yid x job -c", Some(vec!["-p", "-yid"])),
            ("weir run -p -c -n job -c", Some(vec!["-p", "-n"])),
            ("weir cancel abc -m x", Some(vec!["-m"])),
            ("weir cancel -- -m", Some(vec![])),
            ("weir ruin -m", None),
        ] {
            let words = words(line);
            let found = flags_of(words[1].to_str().expect("a text"), &words);
            let expect = expect.map(|flags| flags.into_iter().map(str::to_owned).collect());
            assert_eq!(found, expect, "{line}");
        }
    }
}
