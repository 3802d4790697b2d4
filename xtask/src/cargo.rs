//! Running cargo and the programs that it builds.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::LazyLock;

use anyhow::{Context, Result};

/// The root of the repository: the folder above this crate's. Cargo says where that is now; it may have
/// built this program in another checkout that shares the target folder.
pub fn repository_root() -> &'static Path {
    static CRATE: LazyLock<PathBuf> = LazyLock::new(|| {
        let now = std::env::var_os("CARGO_MANIFEST_DIR");
        PathBuf::from(now.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()))
    });
    CRATE.parent().expect("xtask/ has a parent folder")
}

/// The cargo that runs us, started in the root of the repository.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    command.current_dir(repository_root());
    command
}

/// Runs `command` with our standard streams.
pub fn run(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot run {}", command.get_program().display()))
}

/// A child's exit code as our own; 1 when a signal ended it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}
