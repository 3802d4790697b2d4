//! Flags of several letters behind one hyphen, as Flink has them (`-sae`). The parser would read them
//! as several flags of one letter each, so they are spelled out before it sees them.

use super::Cli;
use clap::{Arg, CommandFactory};
use std::ffi::OsString;

/// Action, flag as typed, and as the parser knows it.
const FLAGS: [(&str, &str, &str); 1] = [("run", "-sae", "--shutdownOnAttachedExit")];

/// The same command line with such flags spelled out, up to the first word that is no flag: what
/// follows belongs to the program.
pub fn spelled_out(mut words: Vec<OsString>) -> Vec<OsString> {
    let Some(action) = words.get(1).and_then(|word| word.to_str()).map(str::to_owned) else {
        return words;
    };
    if FLAGS.iter().all(|(of, _, _)| *of != action) {
        return words;
    }
    let command = Cli::command();
    let Some(command) = command.find_subcommand(&action) else { return words };
    let arguments: Vec<&Arg> = command.get_arguments().collect();
    let mut place = 2;
    while let Some(word) = words.get(place).and_then(|word| word.to_str()) {
        if !word.starts_with('-') || word == "--" {
            break;
        }
        let long = FLAGS.iter().find(|(of, short, _)| *of == action && *short == word);
        let step = 1 + usize::from(long.is_none() && takes_next_word(&arguments, word));
        if let Some((_, _, long)) = long {
            words[place] = OsString::from(long);
        }
        place += step;
    }
    words
}

/// Whether the value of a flag is the word after it.
fn takes_next_word(arguments: &[&Arg], word: &str) -> bool {
    let named = |argument: &&&Arg| match word.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => word.chars().count() == 2 && argument.get_short() == word.chars().nth(1),
    };
    arguments.iter().find(named).is_some_and(|argument| argument.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let words = line.split_whitespace().map(OsString::from).collect();
            let expect: Vec<_> = expect.split_whitespace().map(OsString::from).collect();
            assert_eq!(spelled_out(words), expect, "{line}");
        }
    }
}
