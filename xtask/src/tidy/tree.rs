//! The repository as the checks see it: read once, then plain data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::metadata::{self, Workspace};

/// Input of the checks.
pub struct Tree {
    root: PathBuf,
    pub workspace: Workspace,
    pub sources: Vec<SourceFile>,
    /// File names in `docs/errors/`.
    pub error_pages: Vec<String>,
    pub architecture: Option<String>,
    pub readme: Option<String>,
    pub dependencies_page: Option<String>,
}

/// A `.rs` file.
#[derive(Debug)]
pub struct SourceFile {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
}

impl Tree {
    /// Reads the repository at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        let mut sources = Vec::new();
        collect_sources(root, root, &mut sources)?;
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            root: root.to_path_buf(),
            workspace: metadata::load(root)?,
            sources,
            error_pages: file_names(&root.join("docs/errors"))?,
            architecture: fs::read_to_string(root.join("ARCHITECTURE.md")).ok(),
            readme: fs::read_to_string(root.join("README.md")).ok(),
            dependencies_page: fs::read_to_string(root.join("docs/dependencies.md")).ok(),
        })
    }

    /// Whether a path from the root of the repository exists.
    pub fn has_path(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

fn collect_sources(root: &Path, folder: &Path, sources: &mut Vec<SourceFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && !is_foreign(&path) {
            collect_sources(root, &path, sources)?;
        } else if kind.is_file() && path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let relative = path.strip_prefix(root).context("a file outside its folder")?;
            sources.push(SourceFile { path: relative.to_string_lossy().into_owned(), text });
        }
    }
    Ok(())
}

/// Whether a folder holds what is not ours: hidden, built or installed.
fn is_foreign(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || name == "target"
        || name == "node_modules"
        || folder.join("CACHEDIR.TAG").exists()
}

fn file_names(folder: &Path) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
