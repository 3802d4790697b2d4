//! Whether `docs/coming-from-flink.md` knows every public method of the types that Flink has too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TYPES: [&str; 5] = [
    "StreamExecutionEnvironment",
    "DataStream",
    "KeyedStream",
    "WindowedStream",
    "ConnectedStreams",
];

fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Public methods in the sources, as `(type, method)`.
fn methods() -> BTreeSet<(String, String)> {
    let mut methods = BTreeSet::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let stream = fs::read_dir(sources.join("stream")).expect("readable").flatten();
    let files = stream.map(|entry| entry.path()).chain([sources.join("environment.rs")]);
    for file in files {
        let mut of_type = None;
        for line in fs::read_to_string(&file).expect("text").lines() {
            if line.starts_with("impl") {
                let is_of = |name: &&&str| {
                    let rest = line.split(&format!(" {name}")).nth(1);
                    !line.contains(" for ") && rest.is_some_and(|rest| rest.starts_with(['<', ' ']))
                };
                of_type = TYPES.iter().find(is_of).copied();
            }
            let method = line.strip_prefix("    pub fn ").and_then(|rest| {
                rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()
            });
            if let (Some(of_type), Some(method)) = (of_type, method) {
                methods.insert((of_type.to_owned(), method.to_owned()));
            }
        }
    }
    methods
}

#[test]
fn page_knows_each_method_and_no_other() {
    let page =
        fs::read_to_string(repository().join("docs/coming-from-flink.md")).expect("the page");
    let section =
        page.split("\n## ").find(|section| section.starts_with("API\n")).expect("its part");
    let (tables, own) = section.split_once("Only in Weir: ").expect("methods that Flink has not");
    let own: BTreeSet<_> = quoted(own).collect();
    let methods = methods();
    assert!(methods.len() > 40, "{methods:?}");
    for of_type in TYPES {
        let table = tables.split("\n### ").find(|table| table.starts_with(&format!("{of_type}\n")));
        let rows = table.unwrap_or_else(|| panic!("no table of {of_type}")).lines();
        let mut told = BTreeSet::new();
        for row in rows.filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            match cells[1] {
                "yes" => told.extend(quoted(cells[2])),
                stands => {
                    let is_told = stands == "not yet" || stands.starts_with("never, because ");
                    assert!(is_told, "{row}");
                }
            }
        }
        let has = |name: &str| methods.contains(&(of_type.to_owned(), name.to_owned()));
        for name in told.iter().filter(|name| !name.starts_with("weir ")) {
            assert!(has(name), "{of_type} has no {name}: the page is stale");
        }
        for (_, name) in methods.iter().filter(|(of, _)| of == of_type) {
            let is_known = told.contains(&**name) || own.contains(&**name);
            assert!(is_known, "the page does not tell of {name} of {of_type}");
        }
    }
}
