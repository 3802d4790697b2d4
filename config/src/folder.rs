//! A folder of this machine, as the value of a key: a path, or a `file` URI with an absolute path.
//!
//! Every other URI is refused, so that state never ends up in a folder named `./hdfs:/`.

use std::path::{Path, PathBuf};

use crate::value::ConfigValue;

/// A folder of this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    path: String,
}

impl Folder {
    /// The folder at this path. What of the path is not UTF-8 is replaced.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_string_lossy().into_owned() }
    }

    /// Its path; a relative one depends on the folder in which the job was started.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.path)
    }
}

impl ConfigValue for Folder {
    const TYPE_NAME: &'static str = "folder";

    fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = split_uri(text) else {
            return Ok(Self { path: text.to_owned() });
        };
        if scheme != "file" {
            return Err(format!(
                "{scheme} storage is not supported yet, only a folder as a path or as a \
                 file:/// URI"
            ));
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if !path.starts_with('/') {
            return Err(match rest.starts_with("//") {
                true => "it names a host; a file URI begins with file:///",
                false => "a file URI has an absolute path; write a relative one without file:",
            }
            .to_owned());
        }
        if path.contains(['%', '?', '#']) {
            return Err("a file URI with %, ? or # is not supported; write the path".to_owned());
        }
        Ok(Self { path: path.to_owned() })
    }

    fn to_text(&self) -> String {
        // A path that reads as a URI can only be written as one.
        match split_uri(&self.path) {
            Some(_) => format!("./{}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Scheme in lower case and the rest of a URI; `None` for a path. A path may hold a colon, but not
/// behind a scheme and before a slash; `file:` is a URI with anything behind it.
fn split_uri(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    (is_scheme && (rest.starts_with('/') || scheme == "file")).then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_file_uris_are_folders_and_nothing_else_is() {
        let refused = |scheme: &str| {
            Err(format!(
                "{scheme} storage is not supported yet, only a folder as a path or as a \
                 file:/// URI"
            ))
        };
        let host = Err("it names a host; a file URI begins with file:///".to_owned());
        let relative =
            Err("a file URI has an absolute path; write a relative one without file:".to_owned());
        let escaped = Err("a file URI with %, ? or # is not supported; write the path".to_owned());
        for (text, expect) in [
            ("/var/ck", Ok("/var/ck")),
            ("ck", Ok("ck")),
            ("./a:b/c", Ok("./a:b/c")),
            ("a:b", Ok("a:b")),
            ("50%/#1", Ok("50%/#1")),
            ("file:///var/ck", Ok("/var/ck")),
            ("FILE:///var/ck", Ok("/var/ck")),
            ("file:/var/ck", Ok("/var/ck")),
            ("file://host/ck", host.clone()),
            ("file://localhost/ck", host.clone()),
            ("file://ck", host.clone()),
            ("file://", host),
            ("file:ck", relative.clone()),
            ("file:", relative),
            ("file:///a%20b", escaped.clone()),
            ("file:///a?b", escaped.clone()),
            ("file:///a#b", escaped),
            ("hdfs://nn/ck", refused("hdfs")),
            ("hdfs:/ck", refused("hdfs")),
            ("S3A://bucket/ck", refused("s3a")),
            ("gs://bucket", refused("gs")),
            ("x+y-1.0://z", refused("x+y-1.0")),
        ] {
            let folder = Folder::parse(text);
            assert_eq!(folder, expect.map(|path| Folder { path: path.to_owned() }), "{text}");
            if let Ok(folder) = folder {
                assert_eq!(Folder::parse(&folder.to_text()), Ok(folder), "{text}");
            }
        }
    }

    #[test]
    fn path_that_reads_as_a_uri_stays_a_path() {
        let folder = Folder::at(Path::new("hdfs:/ck"));
        assert_eq!(folder.path(), Path::new("hdfs:/ck"));
        let read = Folder::parse(&folder.to_text()).expect("a path");
        assert_eq!(read.path(), Path::new("./hdfs:/ck"));
    }
}
