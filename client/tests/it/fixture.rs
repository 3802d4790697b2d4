//! A folder with scripts in place of job executables, and `weir` started in it.

use std::fs::{self, Permissions};
use std::os::unix::{fs::PermissionsExt, process::CommandExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use weir_base::JobId;
use weir_protocol::job_executable::{JobMessage, PROTOCOL, write_message};

/// Held while a script is written and while a process is started: a process being started by
/// another thread would hold the script open for writing, and it could not be run.
static SCRIPTS: Mutex<()> = Mutex::new(());

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with these permissions.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) {
        let _guard = SCRIPTS.lock().unwrap_or_else(|poison| poison.into_inner());
        fs::write(self.path(name), text).expect("writable");
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("ours");
    }

    /// A script that runs these lines. `say NAME` sends the messages kept by `messages`.
    pub fn script(&self, name: &str, lines: &str) {
        let folder = self.0.path().display();
        let say = format!("say() {{ cat \"{folder}/$1\" > \"/dev/fd/$WEIR_PARENT_FD\"; }}");
        self.file(name, format!("#!/bin/sh\n{say}\n{lines}\n"), 0o755);
    }

    /// Keeps messages for `say NAME`.
    pub fn messages(&self, name: &str, messages: &[JobMessage]) {
        let mut bytes = Vec::new();
        for message in messages {
            write_message(&mut bytes, message).expect("small");
        }
        self.file(name, bytes, 0o644);
    }

    /// A script that says these messages and then runs these lines.
    pub fn job(&self, name: &str, messages: &[JobMessage], lines: &str) {
        let kept = format!("{name}.messages");
        self.messages(&kept, messages);
        self.script(name, &format!("say {kept}\n{lines}"));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", self.path("cache"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WEIR_") {
                command.env_remove(name);
            }
        }
        command
    }

    pub fn weir(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.start(&mut self.command(arguments)))
    }

    /// Starts a command with its output kept, and open to interrupts.
    pub fn start(&self, command: &mut Command) -> Child {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: it makes a plain system call.
        unsafe { command.pre_exec(heed_interrupts) };
        spawn(command)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    /// Waits until a file is there.
    pub fn wait_for(&self, name: &str) {
        wait_for(&self.path(name));
    }
}

/// Starts a process while no script is being written.
pub fn spawn(command: &mut Command) -> Child {
    let _guard = SCRIPTS.lock().unwrap_or_else(|poison| poison.into_inner());
    command.spawn().expect("it starts")
}

/// Sends a signal to a process that is ours and not waited for yet.
pub fn send(signal: i32, process: u32) {
    let pid = i32::try_from(process).expect("a pid");
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// A shell has what it starts in the background ignore interrupts, and what is ignored stays so.
fn heed_interrupts() -> std::io::Result<()> {
    // SAFETY: a plain system call, also between fork and exec.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    Ok(())
}

fn wait_for(path: &Path) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !path.exists() {
        assert!(std::time::Instant::now() < end, "{} does not appear", path.display());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Output and exit code of a finished `weir`.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(child: Child) -> Self {
        let Output { status, stdout, stderr } = child.wait_with_output().expect("waited for once");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Checks the exit code, and that the error has each of these parts.
    #[track_caller]
    pub fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is missing in {self:#?}");
        }
    }

    /// Checks that all went well without a word on standard error.
    #[track_caller]
    pub fn succeeds(&self) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:#?}");
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

pub fn hello() -> JobMessage {
    hello_of(PROTOCOL)
}

pub fn hello_of(protocol: u32) -> JobMessage {
    JobMessage::Hello { protocol, weir_version: "9.8.7".to_owned() }
}

pub fn submitted(name: &str) -> JobMessage {
    JobMessage::Submitted { job: JobId::of_text(name), name: name.to_owned() }
}

pub fn finished(name: &str) -> JobMessage {
    JobMessage::Finished {
        job: JobId::of_text(name),
        name: name.to_owned(),
        runtime_ms: 42,
        status: "FINISHED".to_owned(),
    }
}

pub fn failed(name: &str) -> JobMessage {
    JobMessage::Failed {
        job: Some(JobId::of_text(name)),
        code: "WEIR-RUN-0001".to_owned(),
        message: "the map panicked".to_owned(),
        runtime_ms: Some(42),
    }
}
