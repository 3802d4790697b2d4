//! Rust text with the parts blanked out that a check must not look at.
//!
//! Not a parser: a lexer that knows comments, strings and characters, and on top of it the extent
//! of `#[cfg(test)]` items. Blanking keeps every line break, so line numbers stay right.

use std::ops::Range;

/// Code alone: comments, strings, characters and test items are spaces.
pub fn code(text: &str) -> String {
    let code = masked(text, &[Kind::Comment, Kind::Literal]);
    let tests = test_items(&code);
    blank(&code, &tests)
}

/// Code with its strings: comments and test items are spaces.
pub fn code_and_strings(text: &str) -> String {
    let tests = test_items(&masked(text, &[Kind::Comment, Kind::Literal]));
    blank(&masked(text, &[Kind::Comment]), &tests)
}

/// Whether a file holds tests alone, by its path: below a folder `tests`, or `tests.rs`.
pub fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Comment,
    Literal,
}

fn masked(text: &str, kinds: &[Kind]) -> String {
    let spans = spans(text);
    let ranges: Vec<_> = spans
        .into_iter()
        .filter(|(kind, _)| kinds.contains(kind))
        .map(|(_, range)| range)
        .collect();
    blank(text, &ranges)
}

/// Every byte of the ranges becomes a space, except line breaks.
fn blank(text: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for byte in ranges.iter().flat_map(|range| range.clone()) {
        if bytes[byte] != b'\n' {
            bytes[byte] = b' ';
        }
    }
    String::from_utf8(bytes).expect("ranges begin and end between characters")
}

/// The comments and literals of a text, in order.
fn spans(text: &str) -> Vec<(Kind, Range<usize>)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let span = if rest.starts_with("//") {
            Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())))
        } else if rest.starts_with("/*") {
            Some((Kind::Comment, block_comment_len(rest)))
        } else {
            literal_len(text, at).map(|len| (Kind::Literal, len))
        };
        let len = match span {
            Some((kind, len)) => {
                spans.push((kind, at..at + len));
                len
            }
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += len;
    }
    spans
}

fn block_comment_len(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of the string or character that begins at `at`, prefix included; `None` if none does.
fn literal_len(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let inside_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if let Some(len) = raw_string_len(rest).filter(|_| !inside_word) {
        return Some(len);
    }
    match rest.as_bytes()[0] {
        b'"' => Some(quoted_len(rest, '"')),
        b'\'' if is_char(rest) => Some(quoted_len(rest, '\'')),
        _ => None,
    }
}

/// `r"…"`, `r#"…"#` and so on, with or without `b` or `c` before the `r`.
fn raw_string_len(rest: &str) -> Option<usize> {
    let unprefixed = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let after_r = unprefixed.strip_prefix('r')?;
    let body = after_r.trim_start_matches('#');
    let hashes = after_r.len() - body.len();
    let content = body.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = rest.len() - content.len();
    Some(content.find(&end).map_or(rest.len(), |found| opening + found + end.len()))
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A quote opens a character, not a lifetime, if one closes it after one character or an escape.
fn is_char(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// The extents of `#[cfg(test)]` items in code without comments and strings.
fn test_items(code: &str) -> Vec<Range<usize>> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    if code.contains("#![cfg(test)]") {
        return std::iter::once(0..code.len()).collect();
    }
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(found) = code[from..].find(ATTRIBUTE) {
        let start = from + found;
        let body = start + ATTRIBUTE.len();
        let end = body + item_len(&code[body..]);
        items.push(start..end);
        from = end;
    }
    items
}

/// The length of the item at the beginning of `code`: up to its `;`, or to the brace that closes
/// its first one.
fn item_len(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            // The enclosing item ends here: it was a field or a variant.
            '}' | ')' | ']' if depth == 0 => return at,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest of a text, with runs of white space as one space.
    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        let table = [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            ("a /* never closed", "a"),
            (r#"a("b // c", d)"#, "a( , d)"),
            (r#"a("b\"c", d)"#, "a( , d)"),
            (r##"a(r#"b"c"#, d)"##, "a( , d)"),
            (r#"a(b"c", br"\", d)"#, "a(b , , d)"),
            ("a('\"', '\\'', '{', 'é', b)", "a( , , , , b)"),
            ("fn a<'b>(c: &'b str) -> &'static str", "fn a<'b>(c: &'b str) -> &'static str"),
            ("for\"x\" bar\"y\"", "for bar"),
        ];
        for (text, expected) in table {
            assert_eq!(words(&code(text)), expected, "{text}");
        }
    }

    #[test]
    fn line_numbers_stay() {
        let text = "/* a\nb */\n#[cfg(test)]\nmod tests {\n}\nlast";
        assert_eq!(code(text).lines().position(|line| line == "last"), Some(5));
    }

    #[test]
    fn test_items_end_where_they_end() {
        let table = [
            ("a; #[cfg(test)] mod tests { b { c } } d", "a; d"),
            ("a; #[cfg(test)] use b; c", "a; c"),
            ("a; #[cfg(test)] mod tests; c", "a; c"),
            ("a; #[cfg(test)] fn b(c: [u8; 2]) -> d { e } f", "a; f"),
            ("a; #[cfg(test)] #[derive(B)] struct C; d", "a; d"),
            ("struct A { b: C, #[cfg(test)] d: E } f", "struct A { b: C, } f"),
            ("#![cfg(test)] a", ""),
            ("#[cfg(not(test))] a;", "#[cfg(not(test))] a;"),
        ];
        for (text, expected) in table {
            assert_eq!(words(&code(text)), expected, "{text}");
        }
    }

    #[test]
    fn strings_are_kept_on_request() {
        let text = "a(\"b\") // c\n#[cfg(test)] mod tests { \"}\" d }";
        assert_eq!(words(&code_and_strings(text)), "a(\"b\")");
    }

    #[test]
    fn test_files_are_known_by_path() {
        assert!(is_test_file("base/tests/it/main.rs") && is_test_file("base/src/id/tests.rs"));
        assert!(!is_test_file("base/src/latest.rs"));
    }
}
