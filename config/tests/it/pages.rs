//! The pages in `docs/` and the sample in `conf/` agree with the tables.

use std::path::{Path, PathBuf};

use weir_config::{ConfigBuilder, Error, docs, keys};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn check_or_bless(relative: &str, expect: &str) {
    let path = repository().join(relative);
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("writable");
        std::fs::write(&path, expect).expect("writable");
    }
    let actual = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expect,
        "{relative} differs from the key tables; to write it anew: \
         WEIR_BLESS=1 cargo test -p weir-config"
    );
}

#[test]
fn configuration_page_is_up_to_date() {
    check_or_bless("docs/configuration.md", &docs::markdown());
}

#[test]
fn sample_file_is_up_to_date() {
    check_or_bless("conf/weir.yaml", &docs::sample());
}

#[test]
fn sample_file_sets_every_key_once_uncommented() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weir.yaml");
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let sample = docs::sample();
    let lines: Vec<&str> = sample.lines().filter(is_key).map(|line| &line[1..]).collect();
    std::fs::write(&path, lines.join("\n")).expect("writable");

    let (config, warnings) = ConfigBuilder::new().file(&path).build().expect("all examples work");
    assert_eq!(warnings, []);
    let mut known: Vec<&str> = keys::all().map(|key| key.name()).collect();
    known.sort_unstable();
    let set: Vec<&str> = config.entries().map(|(name, _)| name).collect();
    assert_eq!(set, known);

    std::fs::write(&path, sample).expect("writable");
    let (config, _) = ConfigBuilder::new().file(&path).build().expect("only comments");
    assert_eq!(config.entries().count(), 0);
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let folder = repository().join("docs/errors");
    for code in Error::CODES {
        let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
        assert!(page.starts_with(&format!("# {code}: ")), "docs/errors/{code}.md has no title");
        for part in ["## What happened", "## Why", "## What to do", "## Example"] {
            assert!(page.contains(part), "docs/errors/{code}.md has no part {part:?}");
        }
    }
    for file in std::fs::read_dir(&folder).expect("the folder of error pages") {
        let name = file.expect("readable").file_name().to_string_lossy().into_owned();
        if name.starts_with("WEIR-CFG-") {
            let code = name.trim_end_matches(".md");
            assert!(Error::CODES.contains(&code), "docs/errors/{name} has no error");
        }
    }
}
