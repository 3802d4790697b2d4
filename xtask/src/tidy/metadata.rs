//! The workspace as `cargo metadata` describes it, cut down to what the checks read.
//!
//! All features of our crates are on, so that a ban holds whatever a user switches on, and only
//! the packages of this machine's platform are resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::closures::closure;

/// The crates of the workspace.
#[derive(Debug, Default)]
pub struct Workspace {
    pub packages: Vec<Package>,
    /// Names in `[workspace.dependencies]` of the root manifest.
    pub version_table: Vec<String>,
}

/// A crate of the workspace.
#[derive(Debug, Default)]
pub struct Package {
    pub name: String,
    /// Its folder, from the root of the repository.
    pub path: String,
    /// As its manifest names them, optional ones included.
    pub dependencies: Vec<Dependency>,
    /// Names of all packages that its normal dependencies resolve to, however deep.
    pub closure: BTreeSet<String>,
}

/// A dependency as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub name: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Normal,
    Build,
    Dev,
}

impl Package {
    /// Dependencies that end up in what is built from the crate, or build it.
    pub fn built_dependencies(&self) -> impl Iterator<Item = &str> {
        self.named(|kind| kind != Kind::Dev)
    }

    /// Dependencies of its tests, examples and benchmarks alone.
    pub fn dev_dependencies(&self) -> impl Iterator<Item = &str> {
        self.named(|kind| kind == Kind::Dev)
    }

    fn named(&self, wanted: impl Fn(Kind) -> bool) -> impl Iterator<Item = &str> {
        let chosen = self.dependencies.iter().filter(move |dependency| wanted(dependency.kind));
        chosen.map(|dependency| dependency.name.as_str())
    }
}

/// Asks cargo for the workspace at `root`. Packages not yet downloaded are, as for a build.
pub fn load(root: &Path) -> Result<Workspace> {
    let output = crate::cargo::cargo()
        .args(["metadata", "--format-version", "1", "--all-features"])
        .args(["--filter-platform", &host_platform()?])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed");
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read cargo metadata")?;
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml")?;
    workspace(&metadata, root, &manifest)
}

fn host_platform() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_string).context("rustc -vV names no host")
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct RawPackage {
    id: String,
    name: String,
    manifest_path: std::path::PathBuf,
    dependencies: Vec<RawDependency>,
}

#[derive(Deserialize)]
struct RawDependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

fn workspace(metadata: &Metadata, root: &Path, manifest: &str) -> Result<Workspace> {
    let names: BTreeMap<&str, &str> =
        metadata.packages.iter().map(|package| (&*package.id, &*package.name)).collect();
    let edges: BTreeMap<&str, Vec<String>> =
        metadata.resolve.nodes.iter().map(|node| (&*node.id, normal_edges(node))).collect();
    let members = metadata.packages.iter().filter(|p| metadata.workspace_members.contains(&p.id));
    let packages = members
        .map(|package| {
            let folder = package.manifest_path.parent().context("a manifest has a folder")?;
            let path = folder.strip_prefix(root).context("a crate outside the repository")?;
            let below = closure(&package.id, |id| edges.get(id).cloned().unwrap_or_default());
            Ok(Package {
                name: package.name.clone(),
                path: path.to_string_lossy().into_owned(),
                dependencies: package.dependencies.iter().map(dependency).collect(),
                closure: below.iter().map(|id| names[&**id].to_string()).collect(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(Workspace { packages, version_table: version_table(manifest) })
}

fn normal_edges(node: &Node) -> Vec<String> {
    let normal = node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|k| k.kind.is_none()));
    normal.map(|edge| edge.pkg.clone()).collect()
}

fn dependency(raw: &RawDependency) -> Dependency {
    let kind = match raw.kind.as_deref() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    Dependency { name: raw.name.clone(), kind }
}

/// The names in `[workspace.dependencies]`. Reads what our own manifest uses of TOML: a line per
/// dependency, or a table `[workspace.dependencies.NAME]`.
fn version_table(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = header == "workspace.dependencies";
            names.extend(header.strip_prefix("workspace.dependencies.").map(str::to_string));
        } else if inside && !line.starts_with('#') {
            let name = line.split_once('=').map(|(name, _)| name.trim().trim_matches('"'));
            names.extend(name.map(|name| name.split('.').next().unwrap_or(name).to_string()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "packages": [
            {"id": "a#1", "name": "a", "manifest_path": "/r/one/a/Cargo.toml", "dependencies": [
                {"name": "b", "kind": null}, {"name": "t", "kind": "dev"}]},
            {"id": "b#1", "name": "b", "manifest_path": "/x/b/Cargo.toml", "dependencies": []},
            {"id": "c#1", "name": "c", "manifest_path": "/x/c/Cargo.toml", "dependencies": []},
            {"id": "t#1", "name": "t", "manifest_path": "/x/t/Cargo.toml", "dependencies": []}],
        "workspace_members": ["a#1"],
        "resolve": {"nodes": [
            {"id": "a#1", "deps": [
                {"pkg": "b#1", "dep_kinds": [{"kind": null}]},
                {"pkg": "t#1", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b#1", "deps": [{"pkg": "c#1", "dep_kinds": [{"kind": null}]}]},
            {"id": "c#1", "deps": []},
            {"id": "t#1", "deps": []}]}}"#;

    #[test]
    fn closure_follows_normal_edges_only() {
        let metadata: Metadata = serde_json::from_str(METADATA).unwrap();
        let workspace = workspace(&metadata, Path::new("/r"), "").unwrap();
        let [package] = &workspace.packages[..] else { panic!("one member") };
        assert_eq!(package.path, "one/a");
        assert_eq!(package.closure, BTreeSet::from(["b".into(), "c".into()]));
        assert_eq!(package.built_dependencies().collect::<Vec<_>>(), ["b"]);
        assert_eq!(package.dev_dependencies().collect::<Vec<_>>(), ["t"]);
    }

    #[test]
    fn version_table_is_read_in_both_forms() {
        let manifest = "\
            [package]\nname = \"x\"\n\
            [workspace.dependencies]\n# a = \"1\"\nanyhow = \"1\"\nserde = { version = \"1\" }\n\
            clap.version = \"4\"\n\
            [workspace.dependencies.tokio]\nversion = \"1\"\n\
            [workspace.lints.rust]\nunused_must_use = \"deny\"\n";
        assert_eq!(version_table(manifest), ["anyhow", "serde", "clap", "tokio"]);
    }
}
