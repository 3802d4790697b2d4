//! Macros that print and panic if the text cannot be written: the reader of a pipe has ended, or the
//! disk of a log is full. No crate that runs on a cluster or in a job may use them.
//!
//! Tools for developers may. Build scripts write to cargo through standard output.

use super::Problem;
use super::source;
use super::tree::SourceFile;

const MACROS: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "dbg!"];

/// Folders of tools for developers.
const TOOLS: &[&str] = &["benchmarks/", "examples/", "simulation/", "xtask/"];

/// Printing macros in the sources of all other crates.
pub fn check(sources: &[SourceFile]) -> Vec<Problem> {
    let is_tool = |path: &str| TOOLS.iter().any(|folder| path.starts_with(folder));
    let checked = sources.iter().filter(|file| {
        !is_tool(&file.path)
            && !file.path.ends_with("/build.rs")
            && !source::is_test_file(&file.path)
    });
    checked.flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Problem> {
    let code = source::code(&file.text);
    let lines = (1..).zip(code.lines());
    let found = lines.filter_map(|(number, line)| Some((number, macro_in(line)?)));
    let problem = |(number, name): (usize, &str)| {
        let text = format!(
            "`{name}` panics if the text cannot be written: use `writeln!` and ignore the error"
        );
        Problem::new(format!("{}:{number}", file.path), text)
    };
    found.map(problem).collect()
}

fn macro_in(line: &str) -> Option<&'static str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    MACROS
        .iter()
        .copied()
        .find(|name| line.match_indices(name).any(|(at, _)| !line[..at].ends_with(is_word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.into(), text: text.into() };
        check(&[file]).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn each_printing_macro_is_found_with_its_line() {
        for name in MACROS {
            let found =
                problems("task-manager/src/a.rs", &format!("//! Doc.\n\nstd::{name}(\"x\")"));
            let expected = format!("task-manager/src/a.rs:3: `{name}` panics");
            assert!(found.len() == 1 && found[0].starts_with(&expected), "{found:?}");
        }
    }

    #[test]
    fn writes_comments_strings_tests_tools_and_build_scripts_pass() {
        let text = "// println!()\nlet a = \"dbg!\"; writeln!(out, \"x\"); my_println!();\n\
                    #[cfg(test)]\nmod tests { fn f() { eprintln!(\"x\") } }\n";
        assert_eq!(problems("service/src/a.rs", text), Vec::<String>::new());
        for path in ["xtask/src/a.rs", "client/build.rs", "client/tests/it/a.rs"] {
            assert_eq!(problems(path, "println!(\"x\")"), Vec::<String>::new(), "{path}");
        }
    }
}
