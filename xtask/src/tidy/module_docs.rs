//! Every `.rs` file opens with a module doc, after at most a shebang.

use super::Problem;
use super::tree::SourceFile;

/// Files that open with anything else.
pub fn check(sources: &[SourceFile]) -> Vec<Problem> {
    let undocumented = sources.iter().filter(|file| !opens_with_doc(&file.text));
    undocumented
        .map(|file| Problem::new(&file.path, "does not open with a module doc (`//! …`)"))
        .collect()
}

fn opens_with_doc(text: &str) -> bool {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index, line.trim()));
    let first = lines.find(|(index, line)| {
        let shebang = *index == 0 && line.starts_with("#!") && !line.starts_with("#![");
        !shebang && !line.is_empty()
    });
    let doc = first.and_then(|(_, line)| line.strip_prefix("//!"));
    doc.is_some_and(|doc| !doc.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_module_docs_are_found() {
        let table = [
            ("//! What it is.\nuse a;", true),
            ("#!/usr/bin/env rust-script\n\n//! What it is.", true),
            ("\n//! What it is.", true),
            ("", false),
            ("//!", false),
            ("use a;", false),
            ("// What it is.", false),
            ("/// What it is.\nmod a;", false),
            ("#![allow(unused)]\n//! What it is.", false),
            ("use a;\n//! What it is.", false),
        ];
        for (text, expected) in table {
            assert_eq!(opens_with_doc(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_file_is_named() {
        let file = SourceFile { path: "a/b.rs".into(), text: "use c;".into() };
        assert!(check(&[file])[0].to_string().starts_with("a/b.rs: "));
    }
}
