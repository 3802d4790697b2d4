//! The exchange of one host as its tasks use it: hosts by their index instead of their address.

use super::{ChannelEnds, NetHost};
use crate::{
    control::TaskControl,
    exchange::{ChannelAddress, ElementSender, RemoteExchange, RemoteInput},
};
use std::{net::SocketAddr, sync::Arc};
use weir_base::ExecutionAttempt;
use weir_dataflow::Result;
use weir_graph::TaskId;

/// A host and the data addresses of all hosts of the job, itself included.
pub struct Peers {
    host: Arc<NetHost>,
    addresses: Arc<[SocketAddr]>,
}

impl Peers {
    /// Hosts are numbered as in `addresses`.
    pub fn new(host: Arc<NetHost>, addresses: Arc<[SocketAddr]>) -> Self {
        Self { host, addresses }
    }
}

fn ends(address: ChannelAddress) -> ChannelEnds {
    let ChannelAddress { edge, producer, consumer } = address;
    ChannelEnds { edge, producer, consumer }
}

impl RemoteExchange for Peers {
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
        self.host.open_output(self.addresses[host], ends(address), control)
    }
}
