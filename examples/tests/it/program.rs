//! Starting programs, and folders for them.

use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Long enough for any program here on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("writable");
        path
    }

    /// Every name in the folder, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        names(&self.path(""))
    }
}

/// Every name in a folder, sorted.
pub fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().expect("a plain name");
    let mut names: Vec<String> = entries.map(|entry| name(entry.expect("readable"))).collect();
    names.sort();
    names
}

/// A command with these settings and nothing of ours from the environment of the tests.
pub fn command(program: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WEIR_") {
            command.env_remove(name);
        }
    }
    for (key, value) in settings {
        let variable = key.to_uppercase().replace(['.', '-'], "_");
        command.env(format!("WEIR_CONF_{variable}"), value);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a program to its end and gives what it printed; it must end well.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = finish(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let watched = Watched(Some(child));
    watched.wait()
}

/// A process that does not outlive its test.
pub struct Watched(pub Option<Child>);

impl Watched {
    pub fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("not waited for yet")
    }

    pub fn wait(mut self) -> Output {
        let child = self.0.take().expect("waited for once");
        child.wait_with_output().expect("ours")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // SIGKILL: it has no chance to tidy up.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not seen: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
