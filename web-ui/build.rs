//! Makes sure that there is something to embed: the page as `npm run build` left it, or one file
//! that says that it was not built. So `cargo build` works without Node.

use std::path::Path;
use std::{env, fs, io};

const PLACEHOLDER: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Weir</title>
<p>the page was not built: run scripts/setup</p>
</html>
"#;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=dist");
    println!("cargo::rerun-if-changed=build.rs");
    let root = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts");
    let dist = Path::new(&root).join("dist");
    let index = dist.join("index.html");
    if !index.exists() {
        fs::create_dir_all(&dist)?;
        fs::write(index, PLACEHOLDER)?;
    }
    Ok(())
}
