//! `weir logs`: what the containers of an application have written, read from their nodes through the
//! resource manager.
//!
//! Each file is read from where the last reading ended. A file that was rotated in the meantime has another
//! `ETag`; its missing part is then at the end of `stdout.1`.
//!
//! Following continues, as `weir run` does, when a daemon does not answer that may answer again. It ends
//! when the application has ended or standard output is closed.

use crate::flags::{LogsFlags, Output};
use crate::ids;
use crate::local_time;
use crate::nodes;
use crate::output;
use crate::problem::Problem;
use crate::remote::{Remote, Target, TextAnswer, application_path};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use weir_base::ApplicationId;
use weir_protocol::rest::yarn::{
    AppAttempts, Container, ContainerLogsAnswer, Containers, LogFile, OneApp, OneNodeApp,
};
use weir_service::CallError;

/// How often files are looked at that are followed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const HEAD_RULE: &str =
    "==================================================================================";
const END_RULE: &str =
    "*****************************************************************************************";

/// The output of `--output json`: one object for each piece that was read.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Piece<'a> {
    container_id: &'a str,
    node_id: &'a str,
    file: &'a str,
    text: String,
}

/// Why something is not shown.
enum Failure {
    /// It could not be asked for.
    Call(CallError),
    /// Something else, as its reader sees it.
    Problem(Problem),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Prints them.
pub fn logs(flags: &LogsFlags) -> Result<(), Problem> {
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let app = ids::find(&remote, &flags.application)?.app;
    let reader = Reader { remote: &remote, application: app.id, flags };
    match flags.follow {
        true => reader.follow(),
        false => reader.print_all().map_err(|failure| reader.problem(failure)),
    }
}

struct Reader<'a> {
    remote: &'a Remote,
    application: ApplicationId,
    flags: &'a LogsFlags,
}

/// How far a file was read.
#[derive(Default)]
struct ReadPosition {
    offset: u64,
    tag: Option<String>,
    /// The beginning of a character whose rest was not read yet; only where texts are printed as JSON.
    begun: Vec<u8>,
}

/// A piece read by a follower.
#[derive(Default)]
struct Followed {
    /// By container and file.
    positions: BTreeMap<(String, String), ReadPosition>,
    /// The head that was printed last.
    shown: String,
}

impl Reader<'_> {
    fn print_all(&self) -> Result<(), Failure> {
        let containers = self.containers()?;
        self.check_container(&containers)?;
        if containers.is_empty() {
            let what = "no container of it is known";
            output::note(&format!("{}: {what}, not yet or not any more", self.application));
        }
        for container in &containers {
            let files = self.files(container)?;
            if files.is_empty() {
                output::note(&format!("{} has no logs, or no more", container.container_id));
                continue;
            }
            self.print_container(container, files)?;
        }
        Ok(())
    }

    fn print_container(&self, container: &Container, files: Vec<LogFile>) -> Result<(), Failure> {
        if self.is_text() {
            let Container { container_id, node_id, .. } = container;
            output::print(&format!(
                "Container: {container_id} on {node_id}\nLogAggregationType: LOCAL\n{HEAD_RULE}\n"
            ))?;
        }
        for file in in_order_of_time(files) {
            let name = &file.file_name;
            if self.is_text() {
                let modified = file.last_modified_time.parse().unwrap_or(0);
                output::print(&format!(
                    "LogType:{name}\nLogLastModifiedTime:{}\nLogLength:{}\nLogContents:\n",
                    local_time::sortable(modified),
                    file.file_size
                ))?;
            }
            // A file that is rotated while it is listed has become the next one.
            let mut position = ReadPosition::default();
            self.read(container, name, &mut position)?;
            self.print_begun(container, name, &mut position)?;
            if self.is_text() {
                output::print(&format!("\nEnd of LogType:{name}\n{END_RULE}\n\n"))?;
            }
        }
        Ok(())
    }

    fn follow(&self) -> Result<(), Problem> {
        let mut followed = Followed::default();
        let mut told_silence = false;
        while output::has_reader() {
            match self.print_all_news(&mut followed) {
                Ok(HasEnded(true)) => return Ok(()),
                Ok(HasEnded(false)) => told_silence = false,
                Err(Failure::Call(error)) if error.is_passing() => {
                    if !std::mem::replace(&mut told_silence, true) {
                        output::note(&format!("{error}; waiting"));
                    }
                }
                Err(failure) => return Err(self.problem(failure)),
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Prints what there is that was not printed; whether nothing more will come.
    fn print_all_news(&self, followed: &mut Followed) -> Result<HasEnded, Failure> {
        // Asked before the files are read: what was written before the end is then seen.
        let app: OneApp = self.get(&application_path(self.application))?;
        let containers = self.containers()?;
        for container in &containers {
            for file in in_order_of_time(self.files(container)?) {
                self.print_news(container, &file, followed)?;
            }
        }
        if app.app.state.has_ended() {
            self.check_container(&containers)?;
        }
        Ok(HasEnded(app.app.state.has_ended()))
    }

    /// Prints what a file has got since it was read last, under its name where another stood before.
    fn print_news(
        &self,
        container: &Container,
        file: &LogFile,
        Followed { positions, shown }: &mut Followed,
    ) -> Result<(), Failure> {
        let container_id = container.container_id.to_string();
        let is_rotated = base(&file.file_name).1 > 0;
        let key = (container_id, base(&file.file_name).0.to_owned());
        // A file that is rotated while it is followed is read together with its successor.
        if is_rotated && positions.contains_key(&key) {
            return Ok(());
        }
        let size_bytes: u64 = file.file_size.parse().unwrap_or(u64::MAX);
        let mut first = ReadPosition::default();
        let position = if is_rotated { &mut first } else { positions.entry(key).or_default() };
        if size_bytes == position.offset {
            return Ok(());
        }
        let head = format!("==> {} {} <==\n", container.container_id, file.file_name);
        if self.is_text() && *shown != head {
            let blank = if shown.is_empty() { "" } else { "\n" };
            output::print(&format!("{blank}{head}"))?;
            *shown = head;
        }
        self.read(container, &file.file_name, position)?;
        match is_rotated {
            true => self.print_begun(container, &file.file_name, position),
            false => Ok(()),
        }
    }

    /// Prints a file from a position on, and moves the position to its end.
    fn read(
        &self,
        container: &Container,
        file: &str,
        position: &mut ReadPosition,
    ) -> Result<(), Failure> {
        let mut answer = self.read_from(container, file, position);
        if matches!(answer, Ok(TextAnswer::Other)) {
            let rest = format!("{file}.1");
            // Where that fails, the position is still right for another try.
            let (offset, begun) = (position.offset, position.begun.clone());
            let mut of_rest = ReadPosition { offset, tag: None, begun };
            self.read_from(container, &rest, &mut of_rest)?;
            self.print_begun(container, &rest, &mut of_rest)?;
            *position = ReadPosition::default();
            answer = self.read_from(container, file, position);
        }
        match answer {
            Ok(TextAnswer::Read { tag }) => {
                position.tag = tag;
                Ok(())
            }
            // Rotated again, or away, at this moment: the next look shows it.
            Ok(TextAnswer::Other) | Err(CallError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read_from(
        &self,
        container: &Container,
        file: &str,
        position: &mut ReadPosition,
    ) -> Result<TextAnswer, CallError> {
        let path = format!("{}/{file}?offset={}", logs_path(container), position.offset);
        let tag = position.tag.clone();
        self.remote.get_text(&path, tag.as_deref(), |bytes| {
            position.offset += bytes.len() as u64;
            match self.is_text() {
                true => output::print_bytes(bytes),
                false => print_piece(container, file, text_of(&mut position.begun, bytes)),
            }
        })
    }

    /// Prints what was kept of a character whose rest will not come.
    fn print_begun(
        &self,
        container: &Container,
        file: &str,
        position: &mut ReadPosition,
    ) -> Result<(), Failure> {
        match std::mem::take(&mut position.begun).as_slice() {
            [] => Ok(()),
            begun => Ok(print_piece(container, file, String::from_utf8_lossy(begun).into_owned())?),
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.remote.get_held(path, Duration::ZERO)
    }

    fn problem(&self, failure: Failure) -> Problem {
        match failure {
            Failure::Call(error) => self.remote.problem(error),
            Failure::Problem(problem) => problem,
        }
    }

    /// Containers of all attempts that are wanted, the oldest first.
    fn containers(&self) -> Result<Vec<Container>, CallError> {
        let path = format!("{}/appattempts", application_path(self.application));
        let attempts: AppAttempts = self.get(&path)?;
        let mut all = Vec::new();
        for attempt in attempts.app_attempts.app_attempt {
            let path = format!("{path}/{}/containers", attempt.app_attempt_id);
            all.extend(self.get::<Containers>(&path)?.containers.container);
        }
        all.extend(self.containers_of_nodes()?);
        all.sort_by_key(|container| container.container_id);
        all.dedup_by_key(|container| container.container_id);
        if let Some(wanted) = &self.flags.container {
            all.retain(|container| container.container_id.to_string() == *wanted);
        }
        Ok(all)
    }

    /// Containers that nodes know; a restarted resource manager knows only running ones.
    fn containers_of_nodes(&self) -> Result<Vec<Container>, CallError> {
        let mut all = Vec::new();
        for node in nodes::all(self.remote)?.nodes.node {
            let node_id = node.id.0;
            let path = format!("/proxy-node/{node_id}/ws/v1/node/apps/{}", self.application);
            // A node without containers of it says that it does not know it.
            let known = self.get::<OneNodeApp>(&path);
            let ids = known.map(|known| known.app.containerids).unwrap_or_default();
            all.extend(ids.into_iter().map(|container_id| Container {
                container_id,
                node_id: node_id.clone(),
                ..Container::default()
            }));
        }
        Ok(all)
    }

    fn check_container(&self, found: &[Container]) -> Result<(), Problem> {
        match &self.flags.container {
            Some(wanted) if found.is_empty() => {
                let what = format!("{} has no container {wanted}", self.application);
                Err(Problem::failure("WEIR-CLI-0212", what)
                    .help(format!("`weir logs {}` shows the logs of all", self.application)))
            }
            _ => Ok(()),
        }
    }

    /// Its log files that are wanted; none where its node has forgotten it or is away.
    fn files(&self, container: &Container) -> Result<Vec<LogFile>, CallError> {
        let mut files = match self.get::<ContainerLogsAnswer>(&logs_path(container)) {
            Ok(answer) => answer.container_logs_info.container_log_info,
            Err(CallError::Refused { status: 404 | 503, .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if let Some(wanted) = &self.flags.file {
            files.retain(|file| base(&file.file_name).0 == wanted);
        }
        Ok(files)
    }

    fn is_text(&self) -> bool {
        self.flags.output.output == Output::Text
    }
}

/// Whether an application had ended when it was looked.
struct HasEnded(bool);

fn print_piece(container: &Container, file: &str, text: String) -> Result<(), Problem> {
    output::print_json(&Piece {
        container_id: &container.container_id.to_string(),
        node_id: &container.node_id,
        file,
        text,
    })
}

/// A piece as text. Pieces end anywhere, also within a character: its first bytes are put at the
/// beginning of the next piece. Bytes that are no text are replaced.
fn text_of(begun: &mut Vec<u8>, piece: &[u8]) -> String {
    begun.extend_from_slice(piece);
    let bytes = std::mem::take(begun);
    let mut text = String::new();
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        match std::str::from_utf8(chunk.invalid()) {
            Ok(_) => {}
            Err(error) if error.error_len().is_none() && chunks.peek().is_none() => {
                chunk.invalid().clone_into(begun);
            }
            Err(_) => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
    text
}

fn logs_path(container: &Container) -> String {
    let Container { node_id, container_id, .. } = container;
    format!("/proxy-node/{node_id}/ws/v1/node/containers/{container_id}/logs")
}

/// `stdout.2` is the second before `stdout`.
fn base(name: &str) -> (&str, u32) {
    let rotated = name.rsplit_once('.').and_then(|(base, age)| Some((base, age.parse().ok()?)));
    rotated.unwrap_or((name, 0))
}

fn in_order_of_time(mut files: Vec<LogFile>) -> Vec<LogFile> {
    files.sort_by(|a, b| {
        let ((one, age), (other, other_age)) = (base(&a.file_name), base(&b.file_name));
        (one, other_age).cmp(&(other, age))
    });
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_that_comes_in_two_pieces_is_whole() {
        let bytes = "naïve 日本 🦀".as_bytes();
        for cut in 0..=bytes.len() {
            let mut begun = Vec::new();
            let (one, other) = bytes.split_at(cut);
            let text = text_of(&mut begun, one) + &text_of(&mut begun, other);
            assert_eq!((text.as_str(), begun.len()), ("naïve 日本 🦀", 0), "cut at {cut}");
        }
        let mut begun = Vec::new();
        assert_eq!(text_of(&mut begun, b"a\xff\xe6b\xe6"), "a\u{fffd}\u{fffd}b");
        assert_eq!(begun, b"\xe6");
    }

    #[test]
    fn rotated_files_come_before_their_successors() {
        let names = ["stderr", "stdout", "stdout.1", "stdout.10", "stdout.2"];
        let file = |name: &str| LogFile { file_name: name.to_owned(), ..LogFile::default() };
        let files = in_order_of_time(names.map(file).to_vec());
        let found: Vec<_> = files.iter().map(|file| file.file_name.as_str()).collect();
        assert_eq!(found, ["stderr", "stdout.10", "stdout.2", "stdout.1", "stdout"]);
    }
}
