//! Several task hosts in one process that exchange records over loopback TCP, as they would on a
//! cluster. For local mode with `weir.local.task-hosts`, tests and benchmarks.

use crate::{
    control::TaskControl,
    exchange::{ChannelAddress, ElementSender, RemoteExchange, RemoteInput},
    net::{ChannelEnds, NetConfig, NetHost},
};
use std::{net::SocketAddr, sync::Arc};
use weir_base::{ExecutionAttempt, JobId};
use weir_dataflow::Result;
use weir_graph::TaskId;

/// The data ports of all hosts.
pub struct LocalNetwork {
    hosts: Vec<Arc<NetHost>>,
    peers: Arc<[SocketAddr]>,
}

impl LocalNetwork {
    /// Opens a data port on loopback for each of `count` hosts.
    pub fn start(job: JobId, count: usize, segment_bytes: usize) -> Result<Self> {
        let hosts = (0..count)
            .map(|index| {
                let config = NetConfig {
                    segment_bytes,
                    ..NetConfig::new(job, &format!("local host {index}"))
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
        Arc::new(Endpoint { host: Arc::clone(&self.hosts[host]), peers: Arc::clone(&self.peers) })
    }

    /// Closes all ports.
    pub fn shutdown(&self) {
        self.hosts.iter().for_each(|host| host.shutdown());
    }
}

struct Endpoint {
    host: Arc<NetHost>,
    peers: Arc<[SocketAddr]>,
}

fn ends(address: ChannelAddress) -> ChannelEnds {
    let ChannelAddress { edge, producer, consumer } = address;
    ChannelEnds { edge, producer, consumer }
}

impl RemoteExchange for Endpoint {
    fn register_input(&self, input: RemoteInput) {
        let RemoteInput { address, inbox, channel, on_lost } = input;
        self.host.register_input(ends(address), inbox, channel, on_lost);
    }

    fn unregister(&self, consumer: (TaskId, ExecutionAttempt)) {
        self.host.unregister(consumer);
    }

    fn open_output(
        &self,
        host: usize,
        address: ChannelAddress,
        control: Arc<TaskControl>,
    ) -> Result<Box<dyn ElementSender>> {
        self.host.open_output(self.peers[host], ends(address), control)
    }
}
