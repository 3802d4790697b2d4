//! Every error code in the code has a page in `docs/errors/`, and every page a code.
//!
//! A code is `WEIR-`, the area in capitals, and four digits. Codes in comments and tests do not
//! count; `README.md` is the one page that is not of a code.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::source;
use super::tree::SourceFile;

const FOLDER: &str = "docs/errors";
const PREFIX: &str = "WEIR-";
const DIGITS: usize = 4;

/// Codes without a page, and pages without a code. `pages` are file names.
pub fn check(sources: &[SourceFile], pages: &[String]) -> Vec<Problem> {
    let used = used_codes(sources);
    let pages: BTreeSet<&str> = pages.iter().map(String::as_str).collect();
    let missing = used
        .iter()
        .filter(|(code, _)| !pages.contains(&*format!("{code}.md")))
        .map(|(code, place)| Problem::new(place, format!("{code} has no page {FOLDER}/{code}.md")));
    let stale = pages
        .iter()
        .filter(|page| **page != "README.md" && !page.starts_with('.'))
        .filter(|page| !page.strip_suffix(".md").is_some_and(|code| used.contains_key(code)))
        .map(|page| {
            Problem::new(format!("{FOLDER}/{page}"), "is not of an error code in the code")
        });
    missing.chain(stale).collect()
}

/// The codes in the code, each with the first place that names it.
fn used_codes(sources: &[SourceFile]) -> BTreeMap<String, String> {
    let mut used = BTreeMap::new();
    for file in sources.iter().filter(|file| !source::is_test_file(&file.path)) {
        for (index, line) in source::code_and_strings(&file.text).lines().enumerate() {
            for code in codes(line) {
                let place = || format!("{}:{}", file.path, index + 1);
                used.entry(code.to_string()).or_insert_with(place);
            }
        }
    }
    used
}

/// The error codes in a line.
fn codes(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices(PREFIX)
        .filter_map(|(at, _)| code_len(&line[at..]).map(|n| &line[at..at + n]))
}

fn code_len(text: &str) -> Option<usize> {
    let after_prefix = text.strip_prefix(PREFIX)?;
    let after_area = after_prefix.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let digits = after_area.strip_prefix('-')?;
    let has_area = after_area.len() < after_prefix.len();
    let count = digits.chars().take_while(char::is_ascii_digit).count();
    (has_area && count == DIGITS).then_some(text.len() - digits.len() + DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, pages: &[&str]) -> Vec<String> {
        let file = SourceFile { path: "a/src/lib.rs".into(), text: text.into() };
        let pages: Vec<String> = pages.iter().map(ToString::to_string).collect();
        check(&[file], &pages).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn code_and_page_go_together() {
        let text = "const A: &str = \"WEIR-CFG-0001\";";
        assert_eq!(problems(text, &["WEIR-CFG-0001.md", "README.md"]), Vec::<String>::new());
        let missing = problems(text, &[]);
        assert_eq!(
            missing,
            ["a/src/lib.rs:1: WEIR-CFG-0001 has no page docs/errors/WEIR-CFG-0001.md"]
        );
        assert_eq!(problems("", &["WEIR-CFG-0001.md"]).len(), 1);
        assert_eq!(problems("", &["notes.txt"]).len(), 1);
    }

    #[test]
    fn tests_and_comments_use_no_code() {
        let text =
            "// WEIR-CFG-0001\n#[cfg(test)] mod tests { const A: &str = \"WEIR-CFG-0002\"; }";
        assert_eq!(problems(text, &[]), Vec::<String>::new());
    }

    #[test]
    fn form_of_a_code_is_exact() {
        let line =
            "WEIR-RUN-0123, WEIR-run-0001, WEIR--0001, WEIR-RUN-001, WEIR-RUN-00011, WEIR-A-9";
        assert_eq!(codes(line).collect::<Vec<_>>(), ["WEIR-RUN-0123"]);
    }
}
