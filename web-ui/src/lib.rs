//! The web page, as files inside the executable: what `npm run build` leaves in `dist/`.
//!
//! The page itself is the TypeScript in `app/`; this crate knows nothing of it but its files. The
//! same files are served by the resource manager and by each app master, so they hold relative
//! addresses only. Without a build, one file is there that says how to make one (`build.rs`).

use std::borrow::Cow;
use std::path::Path;

/// The page that `""` stands for.
const INDEX: &str = "index.html";

/// One file of the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asset {
    /// Its bytes.
    pub content: Cow<'static, [u8]>,
    /// The value for `Content-Type`, charset included where there is one.
    pub content_type: &'static str,
    caching: &'static str,
}

/// What a page may load and run: its own files, from where it came.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Asset {
    /// The HTTP headers that go with it, names in lower case.
    pub fn headers(&self) -> [(&'static str, &'static str); 5] {
        [
            ("content-type", self.content_type),
            ("cache-control", self.caching),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", CONTENT_SECURITY_POLICY),
        ]
    }
}

#[derive(rust_embed::RustEmbed)]
#[folder = "dist/"]
struct Dist;

/// The file at `path`, which is relative to where the page is served and has no leading `/`;
/// `""` is the page itself. `None` when there is no such file.
///
/// Files below `assets/` have a hash of their content in their names and may be cached for ever.
///
/// ```
/// let page = weir_web_ui::asset("").expect("the index is always there");
/// assert_eq!(page.content_type, "text/html; charset=utf-8");
/// assert!(weir_web_ui::asset("../Cargo.toml").is_none());
/// ```
pub fn asset(path: &str) -> Option<Asset> {
    let path = if path.is_empty() { INDEX } else { path };
    // The embedding keeps names apart by exact match, so a path never leaves the folder.
    let file = Dist::get(path)?;
    let caching = match path.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    Some(Asset { content: file.data, content_type: content_type(path), caching })
}

/// By the ending of the name; the build makes no other kinds of file.
fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_there_with_and_without_a_build() {
        let index = asset("").expect("index");
        assert_eq!(asset("index.html"), Some(index.clone()));
        let text = String::from_utf8(index.content.into_owned()).expect("UTF-8");
        assert!(text.starts_with("<!doctype html>"), "{text}");
    }

    #[test]
    fn what_the_index_names_is_there_with_its_type() {
        let index = asset("").expect("index");
        let text = String::from_utf8(index.content.into_owned()).expect("UTF-8");
        for name in text.split('"').filter(|part| part.starts_with("./")) {
            let found = asset(&name[2..]).unwrap_or_else(|| panic!("{name} is missing"));
            assert_ne!(found.content_type, "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn paths_do_not_leave_the_folder() {
        for path in
            ["../Cargo.toml", "/index.html", "./index.html", "assets", "assets/../index.html"]
        {
            assert_eq!(asset(path), None, "{path}");
        }
    }

    #[test]
    fn endings_decide_the_type() {
        let table = [
            ("a.html", "text/html; charset=utf-8"),
            ("assets/a-1.js", "text/javascript; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.svg", "image/svg+xml"),
            ("a", "application/octet-stream"),
        ];
        for (path, expected) in table {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }
}
