//! The commands that the documents print for the example work as they are printed, in the root folder of
//! the repository.

use crate::program::{Folder, command, run};
use std::{collections::BTreeSet, fs, path::Path};

const PAGES: [&str; 5] =
    ["README.md", "docs/cli.md", "docs/cluster.md", "docs/concepts.md", "client/src/flags/mod.rs"];

/// The argument `--input` of each `word-count` in a page, as a shell reads it.
fn inputs(page: &str) -> Vec<&str> {
    let commands = page.lines().filter_map(|line| line.split_once("word-count --input "));
    commands.map(|(_, input)| input.split(" --output").next().unwrap_or(input).trim_end()).collect()
}

#[test]
fn inputs_of_the_printed_word_counts_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut found = BTreeSet::new();
    for name in PAGES {
        let page = fs::read_to_string(root.join(name)).expect("a page");
        let inputs = inputs(&page);
        assert!(!inputs.is_empty(), "{name} prints no word count");
        // The help text of the last example ends inside a string of the source.
        found.extend(inputs.iter().map(|input| input.trim_end_matches('"').to_owned()));
    }
    let folder = Folder::new();
    for (index, input) in found.iter().enumerate() {
        let script = format!("\"$1\" --input {input} --output \"$2\"");
        let settings = [("execution.runtime-mode", "BATCH")];
        let mut shell = command("sh", &settings);
        shell.current_dir(root).args(["-c", &script, "sh", env!("CARGO_BIN_EXE_word-count")]);
        let output = folder.path(&index.to_string());
        run(shell.arg(&output));
        assert!(output.exists(), "{input}: nothing was written");
    }
}
