//! Several task hosts in one process that exchange records over loopback TCP, as they would on a
//! cluster. For local mode with `weir.local.task-hosts`, tests and benchmarks.

use crate::{
    exchange::RemoteExchange,
    net::{NetConfig, NetHost, Peers},
};
use std::{net::SocketAddr, sync::Arc};
use weir_base::JobId;
use weir_dataflow::{Error, Result};
use weir_protocol::challenge::{CHALLENGE_BYTES, JobKey};

/// The data ports of all hosts.
pub struct LocalNetwork {
    hosts: Vec<Arc<NetHost>>,
    peers: Arc<[SocketAddr]>,
}

impl LocalNetwork {
    /// Opens a data port on loopback for each of `count` hosts, which share a key that no other process has.
    pub fn start(job: JobId, count: usize, segment_bytes: usize) -> Result<Self> {
        let mut key = [0; CHALLENGE_BYTES];
        getrandom::fill(&mut key)
            .map_err(|error| Error::internal(format!("no random key: {error}")))?;
        let key = JobKey::new(key);
        let hosts = (0..count)
            .map(|index| {
                let config = NetConfig {
                    segment_bytes,
                    ..NetConfig::new(job, key.clone(), &format!("local host {index}"))
                };
                NetHost::start(config).map(Arc::new)
            })
            .collect::<Result<Vec<_>>>()?;
        let peers = hosts.iter().map(|host| host.local_addr()).collect();
        Ok(Self { hosts, peers })
    }

    /// Addresses of the data ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.peers
    }

    /// The exchange as one host uses it.
    pub fn exchange(&self, host: usize) -> Arc<dyn RemoteExchange> {
        Arc::new(Peers::new(Arc::clone(&self.hosts[host]), Arc::clone(&self.peers)))
    }

    /// Closes all ports.
    pub fn shutdown(&self) {
        self.hosts.iter().for_each(|host| host.shutdown());
    }
}
