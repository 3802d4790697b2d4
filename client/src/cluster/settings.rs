//! How a cluster is started: flags over configuration over defaults, kept in the record so that a
//! daemon that died is started again as it was.

use crate::flags::StartFlags;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use weir_base::units;
use weir_config::{Config, ConfigBuilder, Origin, Warning, keys};

/// The default number of node agents.
const DEFAULT_NODE_AGENTS: u32 = 1;
const MIB: u64 = 1 << 20;

/// How a cluster is started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub node_agents: u32,
    /// Memory that each offers, in MiB.
    pub node_memory_mib: u64,
    /// Cores that each offers.
    pub node_vcores: u32,
    /// Where the resource manager shall listen, `host:port`; port 0 for a free one.
    pub bind: String,
    /// The configuration file of the daemons; an absolute path.
    pub config: Option<PathBuf>,
    /// Where jobs keep checkpoints that name no folder, if the configuration names one.
    pub storage_dir: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node_agents: DEFAULT_NODE_AGENTS,
            node_memory_mib: Config::new().get(&keys::NODE_MEMORY_MB),
            node_vcores: Config::new().get(&keys::NODE_VCORES),
            bind: Config::new().get(&keys::RESOURCE_MANAGER_ADDRESS),
            config: None,
            storage_dir: None,
        }
    }
}

impl Settings {
    /// From the flags and the configuration.
    pub fn of(flags: &StartFlags) -> Result<(Self, Vec<Warning>), Problem> {
        let mut builder = ConfigBuilder::new().env(std::env::vars_os());
        if let Some(file) = &flags.config {
            builder = builder.file(file);
        }
        let (config, warnings) = builder.build()?;
        let memory = flags.node_memory.as_deref().map(memory_mib).transpose()?;
        let bind = config.get(&keys::RESOURCE_MANAGER_ADDRESS);
        let absolute = |file: &PathBuf| std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let settings = Self {
            node_agents: flags.node_agents.unwrap_or(DEFAULT_NODE_AGENTS),
            node_memory_mib: memory.unwrap_or_else(|| config.get(&keys::NODE_MEMORY_MB)),
            node_vcores: flags.node_vcores.unwrap_or_else(|| config.get(&keys::NODE_VCORES)),
            bind: flags.port.map_or_else(|| bind.clone(), |port| with_port(&bind, port)),
            config: flags.config.as_ref().map(absolute),
            storage_dir: config
                .get_optional(&keys::CLUSTER_STORAGE_DIR)
                .map(|folder| folder.path().to_string_lossy().into_owned()),
        };
        Ok((settings, warnings))
    }

    /// The host on which node agents listen: that of the resource manager.
    pub fn host(&self) -> &str {
        self.bind.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host)
    }
}

fn with_port(address: &str, port: u16) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    format!("{host}:{port}")
}

fn memory_mib(text: &str) -> Result<u64, Problem> {
    let refused = |problem: String| {
        Problem::usage(format!("--node-memory {text}: {problem}"))
            .help("give it a size of at least 64 mb, as in 4g or 512m")
    };
    let bytes = units::parse_size_bytes(text).map_err(|error| refused(error.to_string()))?;
    let memory_mib = bytes / MIB;
    let origin = Origin::Flag("--node-memory".to_owned());
    let range = Config::new().set_from(origin, &keys::NODE_MEMORY_MB, memory_mib);
    range.map(|()| memory_mib).map_err(|_| refused("it is too small or too large".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_size_within_bounds() {
        for (text, memory) in [("4g", 4096), ("512m", 512), ("1 gb", 1024), ("64mb", 64)] {
            assert_eq!(memory_mib(text), Ok(memory), "{text}");
        }
        for text in ["", "4", "63m", "much", "-1g", "9999999 tb"] {
            let problem = memory_mib(text).expect_err(text);
            assert_eq!(problem.exit, crate::problem::Exit::Usage);
        }
    }

    #[test]
    fn port_replaces_only_the_port() {
        assert_eq!(with_port("127.0.0.1:8088", 0), "127.0.0.1:0");
        assert_eq!(with_port("[::1]:8088", 1), "[::1]:1");
        let settings = Settings { bind: "10.0.0.1:8088".to_owned(), ..Settings::default() };
        assert_eq!(settings.host(), "10.0.0.1");
    }
}
