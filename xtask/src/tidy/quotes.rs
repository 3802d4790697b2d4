//! Programs quoted in README.md are equal to the files that they name.
//!
//! A quote is a fenced block whose info string names its file: ```` ```rust,file=a/src/b.rs ````.
//! The file is compiled with its crate, so what a newcomer copies from the page compiles too.

use super::Problem;
use super::tree::SourceFile;

const PAGE: &str = "README.md";
const FENCE: &str = "```";
const MARK: &str = "file=";

/// A block that quotes a file.
#[derive(Debug, PartialEq, Eq)]
struct Quote<'a> {
    /// Line of the opening fence, from 1.
    line_number: usize,
    path: &'a str,
    lines: Vec<&'a str>,
}

/// Quotes that differ from their file or name none; also a page that quotes nothing.
pub fn check(page: Option<&str>, sources: &[SourceFile]) -> Vec<Problem> {
    let Some(page) = page else {
        return vec![Problem::new(PAGE, "is missing")];
    };
    let quotes = quotes(page);
    if quotes.is_empty() {
        let text = format!("quotes no program: a block begins with {FENCE}rust,{MARK}PATH");
        return vec![Problem::new(PAGE, text)];
    }
    quotes.iter().filter_map(|quote| problem(quote, sources)).collect()
}

fn problem(quote: &Quote<'_>, sources: &[SourceFile]) -> Option<Problem> {
    let place = format!("{PAGE}:{}", quote.line_number);
    let Some(file) = sources.iter().find(|file| file.path == quote.path) else {
        return Some(Problem::new(place, format!("quotes {}, which does not exist", quote.path)));
    };
    let line_number = first_difference(&quote.lines, &file.text)?;
    let text = format!("differs from the file it quotes at {}:{line_number}", quote.path);
    Some(Problem::new(place, text))
}

/// The line of the file, from 1, at which the quote stops being the same.
fn first_difference(quoted: &[&str], text: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    if quoted == lines {
        return None;
    }
    let same = quoted.iter().zip(&lines).take_while(|(quoted, line)| quoted == line).count();
    Some(same + 1)
}

/// The quotes of a page, in order. A fence that is never closed ends with the page.
fn quotes(page: &str) -> Vec<Quote<'_>> {
    let mut quotes = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.strip_prefix(FENCE) else { continue };
        let block = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != FENCE);
        let block: Vec<&str> = block.collect();
        if let Some(path) = info.split(',').find_map(|word| word.trim().strip_prefix(MARK)) {
            quotes.push(Quote { line_number: index + 1, path, lines: block });
        }
    }
    quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "//! A.\n\nfn main() {}\n";

    fn problems(page: &str) -> Vec<String> {
        let file = SourceFile { path: "a/src/b.rs".into(), text: PROGRAM.into() };
        check(Some(page), &[file]).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn quote_of_the_whole_file_passes() {
        let page = format!("# A\n\n```rust,file=a/src/b.rs\n{PROGRAM}```\n\n```\ncargo run\n```\n");
        assert_eq!(problems(&page), Vec::<String>::new());
    }

    #[test]
    fn difference_is_named_with_both_places() {
        let table = [
            ("//! A.\n\nfn main() { }\n", 3),
            ("//! A.\n", 2),
            ("//! A.\n\nfn main() {}\n\n", 4),
            ("", 1),
        ];
        for (quoted, line) in table {
            let found =
                problems(&format!("```sh\nls\n```\n```rust,file=a/src/b.rs\n{quoted}```\n"));
            let expected =
                format!("README.md:4: differs from the file it quotes at a/src/b.rs:{line}");
            assert_eq!(found, [expected], "{quoted:?}");
        }
    }

    #[test]
    fn quoted_file_must_exist() {
        let found = problems("```rust,file=a/src/gone.rs\n```\n");
        assert_eq!(found, ["README.md:1: quotes a/src/gone.rs, which does not exist"]);
    }

    #[test]
    fn page_without_a_quote_is_found() {
        for page in ["", "```rust\nfn main() {}\n```\n"] {
            assert_eq!(problems(page).len(), 1, "{page:?}");
        }
        assert_eq!(check(None, &[]).len(), 1);
    }
}
