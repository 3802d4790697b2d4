//! Every outside dependency has a line in `docs/dependencies.md`, and every line a dependency.
//!
//! Outside dependencies are those of the version table in the root manifest and those that a
//! crate names by itself. A line is a row of a table that begins with the name in backticks.

use std::collections::BTreeSet;

use super::Problem;
use super::metadata::Workspace;
use super::table;

const PAGE: &str = "docs/dependencies.md";

/// Dependencies without a line, and lines without a dependency.
pub fn check(workspace: &Workspace, page: Option<&str>) -> Vec<Problem> {
    let Some(page) = page else {
        return vec![Problem::new(PAGE, "is missing")];
    };
    let described: BTreeSet<&str> = page.lines().filter_map(described_name).collect();
    let used = outside_dependencies(workspace);
    let missing = used.difference(&described).map(|name| {
        Problem::new(PAGE, format!("{name} has no line: what for, why this one, what to leave it"))
    });
    let stale = described
        .difference(&used)
        .map(|name| Problem::new(PAGE, format!("{name} has a line, but nothing depends on it")));
    missing.chain(stale).collect()
}

fn outside_dependencies(workspace: &Workspace) -> BTreeSet<&str> {
    let table = workspace.version_table.iter().map(String::as_str);
    let named = workspace.packages.iter().flat_map(|package| &package.dependencies);
    let ours: BTreeSet<&str> = workspace.packages.iter().map(|package| &*package.name).collect();
    table
        .chain(named.map(|dependency| &*dependency.name))
        .filter(|name| !table::is_ours(name) && !ours.contains(name))
        .collect()
}

/// The name that a row of a table describes.
fn described_name(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|')?.split('|').next()?;
    cell.trim().strip_prefix('`')?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::metadata::{Dependency, Kind, Package};

    fn problems(page: &str) -> Vec<String> {
        let dependencies = vec![
            Dependency { name: "timely".into(), kind: Kind::Dev },
            Dependency { name: "weir".into(), kind: Kind::Normal },
        ];
        let package =
            Package { name: "weir-benchmarks".into(), dependencies, ..Package::default() };
        let workspace = Workspace {
            packages: vec![package],
            version_table: vec!["weir-base".into(), "serde".into()],
        };
        check(&workspace, Some(page)).into_iter().map(|problem| problem.text).collect()
    }

    #[test]
    fn each_outside_crate_needs_a_line() {
        assert_eq!(problems("| `serde` | x |\n| `timely` | x |"), Vec::<String>::new());
        assert_eq!(problems("| `serde` | x |").len(), 1);
        assert_eq!(problems("`serde` and `timely`").len(), 2);
    }

    #[test]
    fn line_that_outlived_its_dependency_is_found() {
        let found = problems("| `serde` | x |\n| `timely` | x |\n| `gone` | x |");
        assert_eq!(found, ["gone has a line, but nothing depends on it"]);
    }
}
