//! Agent and shim as a process, for the integration tests. `weir` offers the same to users.
//!
//! ```text
//! container-shim FOLDER
//! node-agent ADDRESS DATA_DIR SECRET_FILE RESOURCE_MANAGER [KEY=VALUE]...
//! ```

use std::{error::Error, path::Path, process::exit};
use weir_config::ConfigBuilder;
use weir_node_agent::{Options, run, shim};

fn main() -> Result<(), Box<dyn Error>> {
    weir_service::ready::take();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["container-shim", folder] => exit(shim::run(Path::new(folder))),
        ["node-agent", bind, data_dir, secret_file, resource_manager, ref settings @ ..] => {
            let builder = ConfigBuilder::new();
            let builder = settings.iter().fold(builder, |builder, one| builder.dynamic(*one));
            let options = Options {
                config: builder.build()?.0,
                bind: bind.parse()?,
                data_dir: data_dir.into(),
                secret_file: secret_file.into(),
                resource_manager: resource_manager.to_owned(),
                weir_executable: std::env::current_exe()?,
            };
            Ok(run(options)?)
        }
        _ => Err("what to run?".into()),
    }
}
