//! Paths named in ARCHITECTURE.md exist.
//!
//! A path is a text in backticks outside fenced blocks, or the target of a link, that
//! looks like one: from the root of the repository, with a slash inside or an ending that our
//! files have, and no placeholder. `/v1`, `a::b`, `weir run` and `docs/errors/<CODE>.md` are none.

use super::Problem;

const PAGE: &str = "ARCHITECTURE.md";
const ENDINGS: &[&str] = &[".rs", ".md", ".toml", ".lock"];

/// Paths in the text of ARCHITECTURE.md for which `exists` says no.
pub fn check(page: Option<&str>, exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    let Some(page) = page else {
        return vec![Problem::new(PAGE, "is missing")];
    };
    let mut problems = Vec::new();
    for (line_number, line) in prose(page) {
        for path in paths(line).filter(|path| !exists(path)) {
            let place = format!("{PAGE}:{line_number}");
            problems.push(Problem::new(place, format!("`{path}` does not exist")));
        }
    }
    problems
}

/// The lines outside fenced blocks, numbered from 1.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

fn paths(line: &str) -> impl Iterator<Item = &str> {
    let in_backticks = line.split('`').skip(1).step_by(2);
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    in_backticks.filter(|text| looks_like_path(text)).chain(linked.filter(|text| is_plain(text)))
}

fn looks_like_path(text: &str) -> bool {
    is_plain(text) && (text.contains('/') || ENDINGS.iter().any(|ending| text.ends_with(ending)))
}

fn is_plain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    !text.is_empty() && !text.starts_with(['/', '-']) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(page: &str) -> Vec<String> {
        let exists = |path: &str| path == "base/" || path == "README.md";
        check(Some(page), exists).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn missing_paths_are_named_with_their_line() {
        let found =
            missing("`base/`\n\nsee `no/such.rs` and [here](gone.md#part) and `Cargo.lock`");
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md:3: `no/such.rs` does not exist",
                "ARCHITECTURE.md:3: `Cargo.lock` does not exist",
                "ARCHITECTURE.md:3: `gone.md` does not exist",
            ]
        );
    }

    #[test]
    fn backticks_without_a_path_are_ignored() {
        let page = "`a::b`, `/v1/jobs`, `weir run`, `log/<n>`, `execute()`, `map`, `-p`, \
                    [a](https://example.org/x), [b](#part)\n```\nno/such/path\n`no/such`\n```\n";
        assert_eq!(missing(page), Vec::<String>::new());
    }

    #[test]
    fn the_page_itself_is_missed() {
        assert_eq!(check(None, |_| true).len(), 1);
    }
}
