//! `docs/cli.md` agrees with the help texts, flag by flag.

use crate::fixture::Folder;
use std::collections::BTreeSet;
use std::path::Path;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The section with this heading, up to the next of the same rank.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The flags that begin lines of a help text: `-p`, `--parallelism`.
fn flags_of_help(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| {
        let spelled = line.split("  ").next().unwrap_or(line);
        spelled.split([' ', ','])
    });
    words.filter(|word| word.len() > 1 && word.starts_with('-')).map(str::to_owned).collect()
}

/// The flags in the first column of the section's table.
fn flags_of_section(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `-"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let words = cells.flat_map(|cell| {
        let cell = format!("-{cell}");
        cell.split(['`', ' ', ',']).map(str::to_owned).collect::<Vec<_>>()
    });
    words.filter(|word| word.starts_with('-')).collect()
}

#[test]
fn page_and_help_have_the_same_flags() {
    let (folder, page) = (Folder::new(), page());
    for (arguments, heading) in [
        (&["--help"][..], "weir"),
        (&["run", "--help"], "weir run"),
        (&["info", "--help"], "weir info"),
        (&["list", "--help"], "weir list"),
        (&["cancel", "--help"], "weir cancel"),
        (&["cluster", "start", "--help"], "weir cluster start"),
        (&["cluster", "status", "--help"], "weir cluster status"),
        (&["cluster", "stop", "--help"], "weir cluster stop"),
        (&["application", "list", "--help"], "weir application list"),
        (&["application", "status", "--help"], "weir application status"),
        (&["application", "kill", "--help"], "weir application kill"),
        (&["node", "list", "--help"], "weir node list"),
        (&["logs", "--help"], "weir logs"),
        (&["storage", "list", "--help"], "weir storage list"),
        (&["storage", "delete", "--help"], "weir storage delete"),
        (&["resource-manager", "--help"], "weir resource-manager"),
        (&["node-agent", "--help"], "weir node-agent"),
        (&["completions", "--help"], "weir completions"),
    ] {
        let help = folder.weir(arguments);
        help.succeeds();
        let flags = flags_of_help(&help.stdout);
        assert!(flags.contains("--help"), "{heading}: {flags:?}");
        assert_eq!(flags_of_section(section(&page, heading)), flags, "{heading}");
    }
}

#[test]
fn page_names_every_action() {
    let (folder, page) = (Folder::new(), page());
    let help = folder.weir(&["--help"]).stdout;
    let (_, rest) = help.split_once("Commands:\n").expect("a list of actions");
    let actions = rest.lines().take_while(|line| !line.is_empty());
    for action in actions.filter_map(|line| line.split_whitespace().next()) {
        assert!(page.contains(&format!("weir {action}")), "{action}");
    }
}

#[test]
fn page_names_every_code_that_has_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let page = page();
    for entry in std::fs::read_dir(folder).expect("the pages are there") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        if name.starts_with("WEIR-CLI-") || name.starts_with("WEIR-CLUSTER-") {
            assert!(page.contains(&format!("(errors/{name})")), "{name}");
        }
    }
}
