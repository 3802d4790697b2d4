//! Lists the files that a path, a folder or a glob stands for.
//!
//! The answer is sorted by path and has no file twice. Hidden names (`.x`, `_x`) are left out
//! wherever the program has not written them itself.

use super::Compression;
use glob::{MatchOptions, Pattern};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, Metadata},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};
use weir_dataflow::{Error, Result, error::file_error};

/// A file of the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct InputFile {
    pub path: PathBuf,
    /// Size on disk, compressed or not.
    pub size_bytes: u64,
    pub compression: Compression,
}

const CANNOT_READ: &str = "WEIR-SRC-0002";

/// Globs match as a shell's do: a leading dot wants to be written.
const LIKE_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files of the input, by path.
pub(super) fn list(path: &Path) -> Result<Vec<InputFile>> {
    let absolute = std::path::absolute(path)
        .map_err(|error| missing(format!("the input path {path:?} cannot be used: {error}")))?;
    let mut files = Files::default();
    match fs::metadata(&absolute) {
        Ok(metadata) => files.add(absolute, &metadata)?,
        Err(error) if !is_missing(&error) => return Err(unreadable(&absolute, &error)),
        Err(_) => match pattern_of(path)? {
            Some(pattern) => files.add_matches(&pattern)?,
            None => return Err(missing(format!("input {} does not exist", absolute.display()))),
        },
    }
    Ok(files.into_sorted())
}

/// The path as an absolute glob, if there is a wildcard in it.
fn pattern_of(path: &Path) -> Result<Option<String>> {
    let Some(text) = path.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Ok(None);
    };
    if path.is_absolute() {
        return Ok(Some(text.to_owned()));
    }
    // Only what the program has written is a pattern; the working folder is a plain name.
    let folder = std::env::current_dir().map_err(|error| unreadable(Path::new("."), &error))?;
    Ok(Some(format!("{}/{text}", Pattern::escape(&folder.to_string_lossy()))))
}

#[derive(Default)]
struct Files {
    sizes: BTreeMap<PathBuf, u64>,
    /// Canonical paths of the folders around the one being listed, against links in a circle.
    around: Vec<PathBuf>,
}

impl Files {
    fn add_matches(&mut self, pattern: &str) -> Result<()> {
        let bad = |error| missing(format!("input pattern {pattern} cannot be used: {error}"));
        let mut matches_count = 0;
        for found in glob::glob_with(pattern, LIKE_A_SHELL).map_err(bad)? {
            let path = found.map_err(|error| unreadable(error.path(), error.error()))?;
            if !has_hidden_part(&path, Path::new(pattern)) {
                self.add_path(path)?;
                matches_count += 1;
            }
        }
        if matches_count > 0 {
            return Ok(());
        }
        Err(missing(format!("no file or folder matches the input pattern {pattern}")))
    }

    fn add_path(&mut self, path: PathBuf) -> Result<()> {
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        self.add(path, &metadata)
    }

    fn add(&mut self, path: PathBuf, metadata: &Metadata) -> Result<()> {
        if metadata.is_dir() {
            return self.add_folder(&path).map_err(|error| match error {
                Listing::Failed(error) => error,
                Listing::Io(error) => unreadable(&path, &error),
            });
        }
        if metadata.is_file() {
            self.sizes.insert(path, metadata.len());
            return Ok(());
        }
        Err(Error::external(
            CANNOT_READ,
            format!("cannot read {}: it is neither a file nor a folder", path.display()),
        ))
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), Listing> {
        let canonical = folder.canonicalize()?;
        if self.around.contains(&canonical) {
            return Ok(());
        }
        self.around.push(canonical);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !is_hidden(&entry.file_name()) {
                self.add_path(entry.path())?;
            }
        }
        self.around.pop();
        Ok(())
    }

    fn into_sorted(self) -> Vec<InputFile> {
        let file = |(path, size_bytes): (PathBuf, u64)| InputFile {
            compression: compression_of(&path),
            path,
            size_bytes,
        };
        self.sizes.into_iter().map(file).collect()
    }
}

/// What ended the listing of a folder: its own reading, or something in it.
enum Listing {
    Io(io::Error),
    Failed(Error),
}

impl From<io::Error> for Listing {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for Listing {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn compression_of(path: &Path) -> Compression {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
        _ => Compression::None,
    }
}

fn is_hidden(name: &OsStr) -> bool {
    matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_'))
}

/// Whether a match has a hidden name that the pattern does not ask for.
fn has_hidden_part(path: &Path, pattern: &Path) -> bool {
    let asked_for = |name: &OsStr| {
        let name = name.to_string_lossy();
        let hidden_parts = pattern.iter().filter(|part| is_hidden(part));
        let parts = hidden_parts.filter_map(|part| Pattern::new(part.to_str()?).ok());
        parts.into_iter().any(|part| part.matches(&name))
    };
    path.iter().any(|name| is_hidden(name) && !asked_for(name))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn missing(message: String) -> Error {
    Error::permanent("WEIR-SRC-0001", message)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    file_error(CANNOT_READ, "read", path, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with these files; a name that ends in `/` is a folder.
    fn folder_of(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x").unwrap();
            }
        }
        folder
    }

    fn names(folder: &Path, path: &str) -> Result<Vec<String>> {
        let relative =
            |file: InputFile| file.path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        Ok(list(&folder.join(path))?.into_iter().map(relative).collect())
    }

    #[test]
    fn a_path_stands_for_its_files_without_hidden_ones() {
        let files = ["b.txt", "a.txt", ".git/x", "_SUCCESS", "sub/c.log", "sub/.h", "sub/d/_e/f"];
        let folder = folder_of(&[&files[..], &["empty/", "deep/empty/"]].concat());
        let cases: &[(&str, &[&str])] = &[
            ("", &["a.txt", "b.txt", "sub/c.log"]),
            ("a.txt", &["a.txt"]),
            ("_SUCCESS", &["_SUCCESS"]), // given by name
            ("sub", &["sub/c.log"]),
            ("empty", &[]),
            ("deep", &[]),
            ("*.txt", &["a.txt", "b.txt"]),
            ("*", &["a.txt", "b.txt", "sub/c.log"]), // folders that match are listed
            ("**/*", &["a.txt", "b.txt", "sub/c.log"]), // and nothing comes twice
            ("?.txt", &["a.txt", "b.txt"]),
            ("_*", &["_SUCCESS"]),
            ("emp*", &[]),
        ];
        for (path, expected) in cases {
            assert_eq!(names(folder.path(), path).unwrap(), *expected, "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_absolute_path() {
        let folder = folder_of(&["a.txt", ".hidden"]);
        for path in ["nothing", "a.txt/x", "*.log", "[", "*hidden"] {
            let error = names(folder.path(), path).unwrap_err();
            assert_eq!(error.code(), "WEIR-SRC-0001", "{path}");
            assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
        }
        assert_eq!(list(Path::new("")).unwrap_err().code(), "WEIR-SRC-0001");
        let relative = list(Path::new("no-such-input")).unwrap_err().to_string();
        assert!(relative.starts_with("input /"), "{relative}");
    }

    #[test]
    fn a_literal_name_with_wildcards_is_a_file() {
        let folder = folder_of(&["a[1].txt", "a1.txt"]);
        assert_eq!(names(folder.path(), "a[1].txt").unwrap(), ["a[1].txt"]);
    }

    #[test]
    fn links_in_a_circle_are_followed_once() {
        let folder = folder_of(&["a/x"]);
        symlink(folder.path(), folder.path().join("a/up")).unwrap();
        assert_eq!(names(folder.path(), "").unwrap(), ["a/x"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = folder_of(&[]);
        symlink(folder.path().join("gone"), folder.path().join("dangling")).unwrap();
        let error = names(folder.path(), "").unwrap_err();
        assert_eq!(error.code(), "WEIR-SRC-0002");
        assert!(error.to_string().contains("dangling"), "{error}");
        assert_eq!(list(Path::new("/dev/null")).unwrap_err().code(), "WEIR-SRC-0002");
    }

    #[test]
    fn compression_is_seen_by_the_extension() {
        let folder = folder_of(&["a.gz", "b.GZ", "c.txt", "gz"]);
        let found: Vec<_> =
            list(folder.path()).unwrap().into_iter().map(|file| file.compression).collect();
        let (gzip, none) = (Compression::Gzip, Compression::None);
        assert_eq!(found, [gzip, gzip, none, none]);
    }
}
