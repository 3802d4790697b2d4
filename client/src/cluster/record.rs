//! `cluster.json`: the processes of a data folder. Written atomically, readable by its owner.

use super::folder::{Folder, unusable};
use super::settings::Settings;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use weir_service::{ProcessId, process::boot_id};

/// The version of the file that is written and read here.
const VERSION: u32 = 1;

/// The processes of a data folder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The start of the machine on which its processes were started; empty when an earlier release wrote it.
    #[serde(default)]
    boot: String,
    /// Where the resource manager listens; empty before it does for the first time.
    pub address: String,
    /// When the cluster was started, in milliseconds since 1970.
    pub started_ms: u64,
    /// How it was started.
    pub settings: Settings,
    /// Its process.
    pub resource_manager: Option<ProcessId>,
    pub node_agents: Vec<NodeAgentRecord>,
}

/// A node agent that was started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeAgentRecord {
    /// The name of its folder.
    pub name: String,
    /// Where it listens, which names its node; empty before it does for the first time.
    pub address: String,
    #[serde(flatten)]
    pub process: Option<ProcessId>,
}

impl Record {
    /// A cluster of which nothing runs yet.
    pub fn new(settings: Settings, now_ms: u64) -> Self {
        Self {
            version: VERSION,
            boot: boot_id(),
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
        record.map(|record| Some(record.on_boot(boot_id()))).map_err(|problem| {
            let what = format!("cannot read {}: {problem}", path.display());
            Problem::failure("WEIR-CLUSTER-0008", what).help(
                "if another release of weir wrote it, use that one; else end the processes that \
                 `ps` shows for this folder, and remove the file",
            )
        })
    }

    /// The record as of this start of the machine. Pids and start times are reused after each, so a
    /// process of an earlier one has ended, even if another process has its number now.
    fn on_boot(mut self, boot: String) -> Self {
        if !self.boot.is_empty() && self.boot != boot {
            self.resource_manager = None;
            self.node_agents.iter_mut().for_each(|agent| agent.process = None);
        }
        self.boot = boot;
        self
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

    /// Whether the resource manager lives, and it is known where.
    pub fn resource_manager_is_up(&self) -> bool {
        self.resource_manager_lives() && !self.address.is_empty()
    }

    /// Whether a process of it was ever started since the machine was.
    pub fn was_started(&self) -> bool {
        self.resource_manager.is_some() || self.node_agents.iter().any(|one| one.process.is_some())
    }

    /// Every process that was started and lives.
    pub fn living(&self) -> Vec<(&str, ProcessId)> {
        let manager = self.resource_manager.map(|process| ("resource-manager", process));
        let agents =
            self.node_agents.iter().filter_map(|agent| Some((agent.name.as_str(), agent.process?)));
        manager.into_iter().chain(agents).filter(|(_, process)| process.is_alive()).collect()
    }

    /// Processes that live and whose address is not known: the process that started them died
    /// before they had sent this message.
    pub fn strays(&self) -> Vec<(&str, ProcessId)> {
        let is_known = |name: &str| match name {
            "resource-manager" => !self.address.is_empty(),
            name => self.node_agents.iter().any(|agent| agent.name == name && agent.is_up()),
        };
        self.living().into_iter().filter(|(name, _)| !is_known(name)).collect()
    }

    /// Whether everything that was to be started lives, and it is known where.
    pub fn all_live(&self) -> bool {
        let agents = self.node_agents.iter().filter(|agent| agent.is_up()).count();
        self.resource_manager_is_up() && agents == self.settings.node_agents as usize
    }
}

impl NodeAgentRecord {
    /// Whether it lives, and it is known where.
    pub fn is_up(&self) -> bool {
        !self.address.is_empty() && self.process.is_some_and(ProcessId::is_alive)
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
    fn cluster_whose_start_was_cut_short_does_not_run() {
        let own = Some(ProcessId::own());
        let agent = |name: &str, address: &str| NodeAgentRecord {
            name: name.to_owned(),
            address: address.to_owned(),
            process: own,
        };
        let at = "127.0.0.1:1";
        let (one, other) = (agent("node-agent-1", at), agent("node-agent-2", at));
        let unready = agent("node-agent-2", "");
        let with = |address: &str, node_agents: Vec<NodeAgentRecord>| Record {
            resource_manager: own,
            address: address.to_owned(),
            node_agents,
            ..record()
        };
        for (record, runs, strays) in [
            (with("", vec![]), false, vec!["resource-manager"]),
            (with(at, vec![]), false, vec![]),
            (with(at, vec![one.clone()]), false, vec![]),
            (with(at, vec![one.clone(), unready]), false, vec!["node-agent-2"]),
            (with(at, vec![one, other]), true, vec![]),
        ] {
            assert_eq!(record.all_live(), runs, "{record:?}");
            let found: Vec<_> = record.strays().into_iter().map(|(name, _)| name).collect();
            assert_eq!(found, strays, "{record:?}");
        }
    }

    #[test]
    fn processes_of_an_earlier_boot_are_not_alive() {
        let recorded = || Record { resource_manager: Some(ProcessId::own()), ..record() };
        let same = recorded().on_boot(boot_id());
        assert_eq!((same.living().len(), same.was_started()), (1, true));
        let later = recorded().on_boot("another".to_owned());
        assert_eq!((later.living(), later.was_started()), (vec![], false));
        assert_eq!(later.boot, "another");
        let of_earlier_release = Record { boot: String::new(), ..recorded() };
        assert_eq!(of_earlier_release.on_boot(boot_id()).living().len(), 1);
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
