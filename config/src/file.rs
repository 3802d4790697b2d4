//! Reads a configuration file: YAML, with flat (`a.b.c: v`) and nested keys, into flat entries.
//!
//! Works on the parser's events and not on typed YAML values, so that every value keeps its text
//! exactly as written (`off` stays `off`, `010` stays `010`) and its line. A list becomes one
//! text with `;` between its items, as Flink writes lists. A null (`key:`, `~`, `null`) becomes an
//! empty text. Anchors, tags and further documents have no place in a configuration.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// A key and its value as the file has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// The key, its parts joined by dots.
    pub name: String,
    /// The value as written; empty for null.
    pub text: String,
    /// The line of the key, counted from 1.
    pub line: usize,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileProblem {
    pub line: usize,
    pub problem: String,
}

/// Reads the text of a file.
pub(crate) fn read(text: &str) -> Result<Vec<FileEntry>, FileProblem> {
    let mut reader = Reader { parser: Parser::new_from_str(text), entries: Vec::new() };
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(reader.entries),
            (Event::MappingStart(..), _) => break,
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (Event::Scalar(text, style, ..), _) if is_null(&text, style) => {}
            (_, span) => return Err(problem(span, "expected are lines of the form key: value")),
        }
    }
    reader.mapping("", 0)?;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(reader.entries),
            (Event::DocumentEnd, _) => {}
            (_, span) => return Err(problem(span, "a second YAML document in the file")),
        }
    }
}

/// Deeper nesting than any key has parts is a mistake, and would take our stack.
const MAX_DEPTH: usize = 32;

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    entries: Vec<FileEntry>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), FileProblem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(FileProblem { line: error.marker().line(), problem: error.info().to_owned() })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Reads the rest of a mapping whose keys continue `head`.
    fn mapping(&mut self, head: &str, depth: usize) -> Result<(), FileProblem> {
        loop {
            let (event, span) = self.next()?;
            let part = match event {
                Event::MappingEnd => return Ok(()),
                Event::Scalar(part, ..) => part,
                _ => return Err(problem(span, "a key must be a plain text")),
            };
            if part.trim().is_empty() || part == "<<" {
                return Err(problem(span, "a key must be a plain text"));
            }
            if depth == MAX_DEPTH {
                return Err(problem(span, "keys are nested too deep"));
            }
            let name = if head.is_empty() { part.into_owned() } else { format!("{head}.{part}") };
            let line = span.start.line();
            match self.value(&name)? {
                Value::Text(text) => self.entries.push(FileEntry { name, text, line }),
                Value::Mapping => self.mapping(&name, depth + 1)?,
            }
        }
    }

    fn value(&mut self, name: &str) -> Result<Value, FileProblem> {
        let (event, span) = self.next()?;
        Ok(match event {
            Event::Scalar(_, _, _, Some(_)) => {
                return Err(problem(span, "YAML tags are not supported"));
            }
            Event::Scalar(text, style, ..) if is_null(&text, style) => Value::Text(String::new()),
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) => Value::Text(self.list(name)?),
            Event::MappingStart(..) => Value::Mapping,
            Event::Alias(_) => return Err(problem(span, "YAML aliases are not supported")),
            _ => return Err(problem(span, &format!("{name} has no value"))),
        })
    }

    fn list(&mut self, name: &str) -> Result<String, FileProblem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items.join(";")),
                (Event::Scalar(text, ..), _) => items.push(list_item(&text)),
                (_, span) => {
                    let text = format!("the list of {name} may hold plain values only");
                    return Err(problem(span, &text));
                }
            }
        }
    }
}

enum Value {
    Text(String),
    Mapping,
}

fn problem(span: Span, problem: &str) -> FileProblem {
    FileProblem { line: span.start.line(), problem: problem.to_owned() }
}

fn is_null(text: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// An item of a list; one that holds a separator is quoted, as in Flink.
fn list_item(text: &str) -> String {
    if text.contains([';', '\'']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str, usize)]) {
        let entries = read(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        let entries: Vec<_> =
            entries.iter().map(|e| (e.name.as_str(), e.text.as_str(), e.line)).collect();
        assert_eq!(entries, expect, "{text}");
    }

    #[test]
    fn flat_and_nested_keys_give_the_same_entries() {
        check("a.b.c: 1\n", &[("a.b.c", "1", 1)]);
        check("a:\n  b:\n    c: 1\n", &[("a.b.c", "1", 3)]);
        check(
            "# text\na.b: {c: 1, d: 2}\ne: 3",
            &[("a.b.c", "1", 2), ("a.b.d", "2", 2), ("e", "3", 3)],
        );
        check("a:\n  b.c: 1\n\n  d: 2\n", &[("a.b.c", "1", 2), ("a.d", "2", 4)]);
    }

    #[test]
    fn values_keep_their_text() {
        for (value, expect) in [
            ("10 s", "10 s"),
            ("off", "off"),
            ("010", "010"),
            ("-1", "-1"),
            ("'quoted: text'", "quoted: text"),
            ("\"null\"", "null"),
            ("", ""),
            ("~", ""),
            ("null", ""),
            ("v # comment", "v"),
            ("file:///a/b", "file:///a/b"),
            ("[1, 2]", "1;2"),
            ("['a;b', \"it's\"]", "'a;b';'it''s'"),
            ("\n  - x\n  - y", "x;y"),
            ("[]", ""),
        ] {
            check(&format!("k: {value}\n"), &[("k", expect, 1)]);
        }
    }

    #[test]
    fn files_without_entries_are_accepted() {
        for text in
            ["", "\n", "# only a comment\n", "---\n", "--- \n...\n", "~\n", "{}\n", "a: {}\n"]
        {
            check(text, &[]);
        }
        check("---\na: 1\n...\n", &[("a", "1", 2)]);
    }

    #[test]
    fn malformed_files_are_refused_with_their_line() {
        let deep: String = (0..40).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        for (text, line, part) in [
            ("just text\n", 1, "key: value"),
            ("- a\n- b\n", 1, "key: value"),
            ("a: 1\nb: [1, 2\n", 3, ""),
            ("a: 1\n\tb: 2\n", 1, "tab"),
            ("a: &x 1\nb: *x\n", 2, "aliases"),
            ("a: 1\nb: !!int 2\n", 2, "tags"),
            ("a:\n  - b: 1\n", 2, "plain values"),
            ("? [a, b]\n: 1\n", 1, "plain text"),
            ("a: 1\n: 2\n", 2, "plain text"),
            ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
            (&deep, 33, "too deep"),
        ] {
            let problem = read(text).expect_err(text);
            assert_eq!(problem.line, line, "{text} {problem:?}");
            assert!(problem.problem.contains(part), "{text} {problem:?}");
        }
    }
}
