//! `cargo xtask tidy`: what must hold of the repository and no compiler checks.
//!
//! One file per check. A check is a pure function from a [`Tree`] (or a part of it) to the
//! problems found, so that its tests can feed it bad input. `table` holds the crate table that
//! most of them read; `tree` and `metadata` are the only files that touch the disk or cargo.

mod architecture_paths;
mod closures;
mod crate_names;
mod dependency_lines;
mod edges;
mod error_pages;
mod metadata;
mod module_docs;
mod outside_bans;
mod prints;
mod pure_calls;
mod quotes;
mod source;
mod table;
mod tree;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use self::tree::Tree;

/// The text of `cargo xtask tidy --help`.
pub const ABOUT: &str = "\
Check what the compiler cannot.

  edges               an edge between our crates that the crate table does not have
  outside bans        an outside crate that the table bans, however deep below the crate
  crate names         a crate without a row, or one called common, core, util, utils or types
  module docs         a .rs file that does not open with a module doc
  architecture paths  a path named in ARCHITECTURE.md that does not exist
  pure calls          a clock, thread, socket, file or unordered map in a brain
  prints              a macro that panics if its text cannot be printed, outside of tools
  error pages         an error code without a page in docs/errors/, or a page without a code
  dependency lines    an outside dependency without a line in docs/dependencies.md, or a line
                      without a dependency
  quotes              a program in README.md that differs from the file it quotes

The crate table is data in xtask/src/tidy/table.rs.";

/// Something to put right: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    place: String,
    text: String,
}

impl Problem {
    fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Checks the repository and prints what is wrong with it; the exit code is 1 if anything is.
pub fn run() -> Result<ExitCode> {
    let tree = Tree::load(crate::cargo::repository_root())?;
    let problems = check(&tree);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        let (crates, files) = (tree.workspace.packages.len(), tree.sources.len());
        println!("tidy: {crates} crates and {files} source files are in order");
        Ok(ExitCode::SUCCESS)
    } else {
        eprintln!(
            "tidy: {} to put right; `cargo xtask tidy --help` lists the checks",
            problems.len()
        );
        Ok(ExitCode::FAILURE)
    }
}

fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = [
        crate_names::check(&tree.workspace),
        edges::check(&tree.workspace),
        outside_bans::check(&tree.workspace),
        module_docs::check(&tree.sources),
        pure_calls::check(&tree.sources),
        prints::check(&tree.sources),
        error_pages::check(&tree.sources, &tree.error_pages),
        architecture_paths::check(tree.architecture.as_deref(), |path| tree.has_path(path)),
        dependency_lines::check(&tree.workspace, tree.dependencies_page.as_deref()),
        quotes::check(tree.readme.as_deref(), &tree.sources),
    ]
    .concat();
    problems.sort();
    problems.dedup();
    problems
}
