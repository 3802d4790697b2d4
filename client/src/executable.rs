//! Checks whether a file can be executed, and explains why not.
//!
//! Looked at before it is started, because the system's own answers are poor: a text file with the
//! execute bit would be run by a shell, line by line, and a missing interpreter is reported as if
//! the file itself were missing.

use crate::problem::Problem;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const ELF: &[u8] = b"\x7fELF";
/// Where an ELF header says for which machine it is.
const ELF_MACHINE: std::ops::Range<usize> = 18..20;
const HEADER_BYTES: u64 = 64;

/// The path to start. An executable is a file and never a name to look for in `PATH`.
pub fn path_to_start(typed: &Path) -> PathBuf {
    if typed.components().count() == 1 && typed.is_relative() {
        return Path::new(".").join(typed);
    }
    typed.to_owned()
}

/// Refuses what the system could not start, or would start as something else.
pub fn check(path: &Path) -> Result<(), Problem> {
    let metadata = fs::metadata(path).map_err(|error| start_problem(path, &error))?;
    if metadata.is_dir() {
        let help = "name the job executable in it, for example one in target/release";
        return Err(refused(path, "it is a directory").help(help));
    }
    if !metadata.is_file() {
        return Err(refused(path, "it is no regular file"));
    }
    let unfit = header(path).and_then(|header| {
        let own = std::env::current_exe().ok().and_then(|own| self::header(&own));
        unfit_because(&header, own.as_deref().unwrap_or_default())
    });
    if let Some(reason) = unfit {
        let help = "a job is a native executable built for this machine with the crate weir";
        return Err(refused(path, reason).help(help));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        let help = format!("make it executable: chmod +x {}", path.display());
        return Err(refused(path, "it is not executable").help(help));
    }
    Ok(())
}

/// Why the system did not start a program.
pub fn start_problem(path: &Path, error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound if !path.exists() => {
            let what = format!("cannot run {}: there is no such file", path.display());
            Problem::failure("WEIR-CLI-0001", what).help(format!(
                "build it first (`cargo build --release`), or correct the path{}",
                current_folder()
            ))
        }
        io::ErrorKind::NotFound => refused(path, "the interpreter or loader it names is missing")
            .help(format!("see its first line, or `ldd {}`", path.display())),
        io::ErrorKind::PermissionDenied => refused(path, "permission denied").help(
            "check that this user may execute it and enter its folder, and that the file system is \
             not mounted noexec",
        ),
        io::ErrorKind::ExecutableFileBusy => {
            refused(path, "it is being written").help("wait until it is complete")
        }
        _ => refused(path, &error.to_string()),
    }
}

fn current_folder() -> String {
    let folder = std::env::current_dir().ok();
    folder.map(|folder| format!("; the current folder is {}", folder.display())).unwrap_or_default()
}

fn refused(path: &Path, reason: &str) -> Problem {
    Problem::failure("WEIR-CLI-0002", format!("cannot run {}: {reason}", path.display()))
}

/// The first bytes of a file; `None` if they cannot be read, which does not stop it being started.
fn header(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEADER_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Why a file that begins like this cannot be started where `own` is the beginning of `weir`.
fn unfit_because(header: &[u8], own: &[u8]) -> Option<&'static str> {
    match header {
        [] => Some("it is empty"),
        [b'#', b'!', ..] => None,
        [b'P', b'K', 3, 4, ..] => Some("it is a zip or jar archive, not a native executable"),
        elf if elf.starts_with(ELF) => {
            let machine = own.starts_with(ELF).then(|| own.get(ELF_MACHINE)).flatten();
            let fits = machine.is_none_or(|machine| elf.get(ELF_MACHINE) == Some(machine));
            (!fits).then_some("it is an executable for another kind of machine")
        }
        _ if !own.starts_with(ELF) => None,
        _ => Some("it is neither an ELF executable nor a script with a #! line"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_of_a_file_is_known_by_its_first_bytes() {
        let elf = |machine: u8| {
            let mut header = ELF.to_vec();
            header.resize(64, 0);
            header[18] = machine;
            header
        };
        let own = elf(62);
        for (header, expect) in [
            (elf(62), None),
            (b"#!/bin/sh\n".to_vec(), None),
            (elf(183), Some("another kind of machine")),
            (ELF.to_vec(), Some("another kind of machine")),
            (Vec::new(), Some("empty")),
            (b"PK\x03\x04....".to_vec(), Some("jar archive")),
            (b"hello".to_vec(), Some("neither")),
        ] {
            let reason = unfit_because(&header, &own);
            assert_eq!(reason.is_some(), expect.is_some(), "{header:?}: {reason:?}");
            assert!(reason.unwrap_or_default().contains(expect.unwrap_or_default()));
        }
        assert_eq!(unfit_because(b"\xcf\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"), None);
    }

    #[test]
    fn bare_name_is_a_file_here() {
        for (typed, path) in
            [("job", "./job"), ("./job", "./job"), ("a/job", "a/job"), ("/j", "/j")]
        {
            assert_eq!(path_to_start(Path::new(typed)), Path::new(path));
        }
    }

    #[test]
    fn executable_of_this_machine_is_accepted() {
        let own = std::env::current_exe().expect("known");
        assert_eq!(check(&own), Ok(()));
    }
}
