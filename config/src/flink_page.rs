//! Whether `docs/coming-from-flink.md` tells of each key how it stands: the tables of our keys and of
//! Flink's decide.

use crate::foreign;
use crate::keys;
use std::collections::BTreeMap;

/// Keys by the page, each with how it stands.
fn keys_of_the_page() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coming-from-flink.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let section = page.split("\n## ").find(|section| section.starts_with("Configuration keys\n"));
    let mut keys = BTreeMap::new();
    for row in section.expect("its part").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        for name in cells[0].split('`').skip(1).step_by(2) {
            let earlier = keys.insert(name.to_owned(), cells[1].to_owned());
            assert_eq!(earlier, None, "{name} stands there twice");
        }
    }
    keys
}

/// Our keys that have a name of Flink or YARN, with their former spellings.
fn known() -> impl Iterator<Item = &'static str> {
    let all = keys::all().flat_map(|spec| [&[spec.name()], spec.deprecated()].concat());
    all.filter(|name| !name.starts_with("weir."))
}

#[test]
fn keys_listed_as_supported_are_those_that_exist() {
    let page = keys_of_the_page();
    for name in known() {
        let stands = page.get(name).map(String::as_str);
        assert_eq!(stands, Some("yes"), "{name}: the page is stale");
    }
    for (name, _) in page.iter().filter(|(_, stands)| *stands == "yes") {
        assert!(known().any(|known| known == name), "{name} is no key: the page is stale");
    }
}

#[test]
fn keys_of_flink_without_effect_are_listed() {
    let page = keys_of_the_page();
    for key in foreign::all() {
        let stands = page.get(key.name).map(String::as_str).unwrap_or_default();
        let agrees = match key.note.contains(" yet") {
            true => stands == "not yet",
            false => stands.starts_with("never, because "),
        };
        assert!(agrees, "{}: {:?} by the table, {stands:?} by the page", key.name, key.note);
    }
    for (name, stands) in page {
        let is_told =
            ["yes", "not yet"].contains(&&*stands) || stands.starts_with("never, because ");
        assert!(is_told, "{name} stands as {stands:?}");
    }
}
