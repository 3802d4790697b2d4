//! `weir logs`: what the containers of an application have written, read from their nodes through the
//! resource manager.
//!
//! Each file is read from where the last reading ended. A file that was rotated meanwhile has another
//! `ETag`; what is missing of it then stands at the end of `stdout.1`.

use crate::applications;
use crate::flags::{LogsFlags, Output};
use crate::local_time;
use crate::nodes;
use crate::output;
use crate::problem::Problem;
use crate::remote::{Remote, Target, TextAnswer, application_path};
use serde::Serialize;
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

/// What `--output json` prints: one for each piece that was read.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Piece<'a> {
    container_id: &'a str,
    node_id: &'a str,
    file: &'a str,
    text: String,
}

/// Prints them.
pub fn logs(flags: &LogsFlags) -> Result<(), Problem> {
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let app = applications::find(&remote, &flags.application)?;
    let reader = Reader { remote: &remote, application: app.id, flags };
    match flags.follow {
        true => reader.follow(),
        false => reader.print_all(),
    }
}

struct Reader<'a> {
    remote: &'a Remote,
    application: ApplicationId,
    flags: &'a LogsFlags,
}

/// How far a file was read.
#[derive(Default)]
struct Place {
    offset: u64,
    tag: Option<String>,
}

impl Reader<'_> {
    fn print_all(&self) -> Result<(), Problem> {
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

    fn print_container(&self, container: &Container, files: Vec<LogFile>) -> Result<(), Problem> {
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
            // What is rotated away while it is listed stands in the next one.
            self.read(container, name, &mut Place::default())?;
            if self.is_text() {
                output::print(&format!("\nEnd of LogType:{name}\n{END_RULE}\n\n"))?;
            }
        }
        Ok(())
    }

    fn follow(&self) -> Result<(), Problem> {
        let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
        let mut shown = String::new();
        loop {
            // Asked before the files are read: what was written before the end is then seen.
            let app: OneApp = self.remote.get(&application_path(self.application))?;
            let containers = self.containers()?;
            for container in &containers {
                for file in in_order_of_time(self.files(container)?) {
                    self.print_news(container, &file, (&mut places, &mut shown))?;
                }
            }
            if app.app.state.has_ended() {
                return self.check_container(&containers);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Prints what a file has got since it was read last, under its name where another stood before.
    fn print_news(
        &self,
        container: &Container,
        file: &LogFile,
        (places, shown): (&mut BTreeMap<(String, String), Place>, &mut String),
    ) -> Result<(), Problem> {
        let container_id = container.container_id.to_string();
        let is_rotated = base(&file.file_name).1 > 0;
        let key = (container_id, base(&file.file_name).0.to_owned());
        // What is rotated away while it is followed is read with its successor.
        if is_rotated && places.contains_key(&key) {
            return Ok(());
        }
        let size_bytes: u64 = file.file_size.parse().unwrap_or(u64::MAX);
        let mut first = Place::default();
        let place = if is_rotated { &mut first } else { places.entry(key).or_default() };
        if size_bytes == place.offset {
            return Ok(());
        }
        let head = format!("==> {} {} <==\n", container.container_id, file.file_name);
        if self.is_text() && *shown != head {
            let blank = if shown.is_empty() { "" } else { "\n" };
            output::print(&format!("{blank}{head}"))?;
            *shown = head;
        }
        self.read(container, &file.file_name, place)
    }

    /// Prints a file from a place on, and moves the place to its end.
    fn read(&self, container: &Container, file: &str, place: &mut Place) -> Result<(), Problem> {
        let mut answer = self.read_from(container, file, place);
        if matches!(answer, Ok(TextAnswer::Other)) {
            let rest = format!("{file}.1");
            let mut of_rest = Place { offset: place.offset, tag: None };
            self.read_from(container, &rest, &mut of_rest).map_err(|e| self.remote.problem(e))?;
            *place = Place::default();
            answer = self.read_from(container, file, place);
        }
        match answer {
            Ok(TextAnswer::Read { tag }) => {
                place.tag = tag;
                Ok(())
            }
            // Rotated again, or away, at this moment: the next look shows it.
            Ok(TextAnswer::Other) | Err(CallError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(self.remote.problem(error)),
        }
    }

    fn read_from(
        &self,
        container: &Container,
        file: &str,
        place: &mut Place,
    ) -> Result<TextAnswer, CallError> {
        let path = format!("{}/{file}?offset={}", logs_path(container), place.offset);
        let tag = place.tag.clone();
        self.remote.get_text(&path, tag.as_deref(), |bytes| {
            place.offset += bytes.len() as u64;
            self.print_piece(container, file, bytes)
        })
    }

    fn print_piece(&self, container: &Container, file: &str, bytes: &[u8]) -> Result<(), Problem> {
        if self.is_text() {
            return output::print_bytes(bytes);
        }
        output::print_json(&Piece {
            container_id: &container.container_id.to_string(),
            node_id: &container.node_id,
            file,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// Containers of all attempts that are wanted, the oldest first.
    fn containers(&self) -> Result<Vec<Container>, Problem> {
        let path = format!("{}/appattempts", application_path(self.application));
        let attempts: AppAttempts = self.remote.get(&path)?;
        let mut all = Vec::new();
        for attempt in attempts.app_attempts.app_attempt {
            let path = format!("{path}/{}/containers", attempt.app_attempt_id);
            all.extend(self.remote.get::<Containers>(&path)?.containers.container);
        }
        all.extend(self.containers_of_nodes()?);
        all.sort_by_key(|container| container.container_id);
        all.dedup_by_key(|container| container.container_id);
        if let Some(wanted) = &self.flags.container {
            all.retain(|container| container.container_id.to_string() == *wanted);
        }
        Ok(all)
    }

    /// What nodes know of it; a resource manager that was restarted knows only what runs.
    fn containers_of_nodes(&self) -> Result<Vec<Container>, Problem> {
        let mut all = Vec::new();
        for node in nodes::all(self.remote)?.nodes.node {
            let node_id = node.id.0;
            let path = format!("/proxy-node/{node_id}/ws/v1/node/apps/{}", self.application);
            // A node without containers of it says that it does not know it.
            let known = self.remote.get_held::<OneNodeApp>(&path, Duration::ZERO);
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
    fn files(&self, container: &Container) -> Result<Vec<LogFile>, Problem> {
        let answer =
            self.remote.get_held::<ContainerLogsAnswer>(&logs_path(container), Duration::ZERO);
        let mut files = match answer {
            Ok(answer) => answer.container_logs_info.container_log_info,
            Err(CallError::Refused { status: 404 | 503, .. }) => Vec::new(),
            Err(error) => return Err(self.remote.problem(error)),
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
    fn rotated_files_come_before_their_successors() {
        let names = ["stderr", "stdout", "stdout.1", "stdout.10", "stdout.2"];
        let file = |name: &str| LogFile { file_name: name.to_owned(), ..LogFile::default() };
        let files = in_order_of_time(names.map(file).to_vec());
        let found: Vec<_> = files.iter().map(|file| file.file_name.as_str()).collect();
        assert_eq!(found, ["stderr", "stdout.10", "stdout.2", "stdout.1", "stdout"]);
    }
}
