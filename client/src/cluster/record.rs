//! `cluster.json`: what runs on a data folder. Written whole or not at all, readable by its owner.

use super::folder::{Folder, unusable};
use super::settings::Settings;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use weir_service::ProcessId;

/// The version of the file that is written and read here.
const VERSION: u32 = 1;

/// What runs on a data folder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Where the resource manager listens; empty before it does for the first time.
    pub address: String,
    /// When the cluster was started, in milliseconds since 1970.
    pub started_ms: u64,
    /// How it was started.
    pub settings: Settings,
    /// Its process.
    pub resource_manager: Option<ProcessId>,
    /// The node agents.
    pub node_agents: Vec<NodeAgentRecord>,
}

/// A node agent that was started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeAgentRecord {
    /// The name of its folder.
    pub name: String,
    /// Where it listens, which names its node; empty before it does for the first time.
    pub address: String,
    /// Its process.
    #[serde(flatten)]
    pub process: Option<ProcessId>,
}

impl Record {
    /// A cluster of which nothing runs yet.
    pub fn new(settings: Settings, now_ms: u64) -> Self {
        Self {
            version: VERSION,
            address: String::new(),
            started_ms: now_ms,
            settings,
            resource_manager: None,
            node_agents: Vec::new(),
        }
    }

    /// Reads it; `None` when nothing was started there.
    pub fn load(data_dir: &Path) -> Result<Option<Self>, Problem> {
        let path = Folder::new(data_dir)?.record();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(unusable(&path, &error)),
        };
        let record = serde_json::from_str::<Self>(&text).map_err(|error| error.to_string());
        let record = record.and_then(|record| match record.version {
            VERSION => Ok(record),
            other => Err(format!("it has version {other}, this release reads {VERSION}")),
        });
        record.map(Some).map_err(|problem| {
            let what = format!("cannot read {}: {problem}", path.display());
            Problem::failure("WEIR-CLUSTER-0008", what).help(
                "if another release of weir wrote it, use that one; else end the processes that \
                 `ps` shows for this folder, and remove the file",
            )
        })
    }

    /// Writes it.
    pub fn store(&self, folder: &Folder) -> Result<(), Problem> {
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder.path())?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(folder.record()).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| unusable(&folder.record(), &error))
    }

    /// Removes it: nothing runs any more.
    pub fn remove(folder: &Folder) -> Result<(), Problem> {
        match fs::remove_file(folder.record()) {
            Err(error) if !is_absent(&error) => Err(unusable(&folder.record(), &error)),
            _ => Ok(()),
        }
    }

    /// Whether the resource manager lives.
    pub fn resource_manager_lives(&self) -> bool {
        self.resource_manager.is_some_and(ProcessId::is_alive)
    }

    /// Every process that was started and lives.
    pub fn living(&self) -> Vec<(&str, ProcessId)> {
        let manager = self.resource_manager.map(|process| ("resource-manager", process));
        let agents =
            self.node_agents.iter().filter_map(|agent| Some((agent.name.as_str(), agent.process?)));
        manager.into_iter().chain(agents).filter(|(_, process)| process.is_alive()).collect()
    }

    /// Whether everything that was started lives.
    pub fn all_live(&self) -> bool {
        self.living().len() == 1 + self.node_agents.len()
    }
}

impl NodeAgentRecord {
    /// Whether it lives.
    pub fn lives(&self) -> bool {
        self.process.is_some_and(ProcessId::is_alive)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn record() -> Record {
        let settings = Settings { node_agents: 2, ..Settings::default() };
        let agent = |name: &str, process| NodeAgentRecord {
            name: name.to_owned(),
            address: "127.0.0.1:1".to_owned(),
            process,
        };
        Record {
            resource_manager: Some(ProcessId::own()),
            node_agents: vec![
                agent("node-agent-1", Some(ProcessId { start_time: 1, ..ProcessId::own() })),
                agent("node-agent-2", None),
            ],
            ..Record::new(settings, 7)
        }
    }

    #[test]
    fn record_is_private_and_comes_back_as_it_was() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(place.path()).expect("a path");
        assert_eq!(Record::load(place.path()).expect("none"), None);
        record().store(&folder).expect("written");
        assert_eq!(Record::load(place.path()).expect("read"), Some(record()));
        let mode = fs::metadata(folder.record()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(place.path()).expect("there").count(), 1, "nothing else is left");
        Record::remove(&folder).expect("removed");
        Record::remove(&folder).expect("nothing to remove");
        assert_eq!(Record::load(place.path()).expect("none"), None);
    }

    #[test]
    fn number_of_another_process_is_not_taken_for_ours() {
        let record = record();
        let living: Vec<_> = record.living().into_iter().map(|(name, _)| name).collect();
        assert_eq!(living, ["resource-manager"]);
        assert!(!record.all_live());
    }

    #[test]
    fn record_that_makes_no_sense_is_an_error() {
        let place = tempfile::tempdir().expect("a folder");
        let mut other = serde_json::to_value(record()).expect("JSON");
        other["version"] = 2.into();
        for text in ["", "{}", "{\"version\": 1}", &other.to_string()] {
            fs::write(place.path().join("cluster.json"), text).expect("written");
            let problem = Record::load(place.path()).expect_err(text);
            assert_eq!(problem.code.as_deref(), Some("WEIR-CLUSTER-0008"));
        }
    }
}
