//! `cargo xtask bench`: ours and the peers, built alike and run by one binary.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

const PACKAGE: &str = "weir-benchmarks";
const PROFILE: &str = "bench-release";

/// Builds the benchmarks and runs the ones named; all when `names` is empty.
pub fn run(names: &[String]) -> Result<ExitCode> {
    let binary = build()?;
    let status = cargo::run(Command::new(binary).args(names))?;
    Ok(cargo::exit_code(status))
}

fn build() -> Result<PathBuf> {
    // The cluster's comparisons run the command and a job as their users do, from beside the benchmarks'
    // own executable. A build of their own: the examples bring the allocator that the benchmarks have too.
    cargo_build(&["weir-cli", "weir-examples"])?;
    let messages = cargo_build(&[PACKAGE])?;
    executable(&messages).with_context(|| format!("package {PACKAGE} has no binary {PACKAGE}"))
}

/// Messages of cargo about its artefacts.
fn cargo_build(packages: &[&str]) -> Result<String> {
    let output = cargo::cargo()
        .args(["build", "--profile", PROFILE])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{} does not build", packages.join(" or "));
    }
    String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")
}

/// Where cargo says it put the binary: the target folder depends on the user's configuration.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == PACKAGE)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_found_among_other_messages() {
        let messages = r#"
            not json
            {"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"weir-benchmarks"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"weir-benchmarks"},"executable":"/t/b"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/b")));
    }

    #[test]
    fn library_alone_is_no_binary() {
        let messages = r#"{"target":{"name":"weir-benchmarks"},"executable":null}"#;
        assert_eq!(executable(messages), None);
    }
}
