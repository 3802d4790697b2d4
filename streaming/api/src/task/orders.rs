//! Orders of the job master, and the fence against an older one.

use super::{
    error::Result,
    reports::{Reports, spawn},
};
use crate::plan::Abandon;
use std::{ops::ControlFlow, sync::Arc};
use weir_base::LeaderEpoch;
use weir_graph::TaskDeployment;
use weir_protocol::control::{Error, HostOrder, HostReport, Order, Placement};
use weir_runtime::{
    TaskHost,
    host::Remote,
    net::{NetHost, Peers},
    panics,
};

/// Obeys orders.
pub(super) struct Orders {
    host: TaskHost,
    net: Arc<NetHost>,
    /// The highest epoch seen.
    epoch: LeaderEpoch,
    /// Slots of the placement that holds; none before the first.
    slots: usize,
    reports: Arc<Reports>,
    abandons: Vec<Abandon>,
}

impl Orders {
    /// Accepts orders of the leader of this epoch, and of later ones.
    pub fn new(
        host: TaskHost,
        net: Arc<NetHost>,
        epoch: LeaderEpoch,
        reports: Arc<Reports>,
        abandons: Vec<Abandon>,
    ) -> Self {
        Self { host, net, epoch, slots: 0, reports, abandons }
    }

    /// Carries out an order; breaks if the order is to end.
    ///
    /// # Errors
    /// An order that cannot be: the connection is of no use.
    pub fn obey(&mut self, order: Order<HostOrder>) -> Result<ControlFlow<()>> {
        let Order { epoch, order } = order;
        if epoch < self.epoch {
            return Ok(ControlFlow::Continue(()));
        }
        self.epoch = epoch;
        match order {
            HostOrder::Place(placement) => self.place(placement)?,
            HostOrder::Deploy(deployment) => self.deploy(*deployment)?,
            HostOrder::Command { task, attempt, command } => {
                self.host.command(task, attempt, command);
            }
            HostOrder::AbandonOutput => self.abandon_output()?,
            HostOrder::Shutdown => return Ok(ControlFlow::Break(())),
            HostOrder::KeepAlive => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn place(&mut self, placement: Placement) -> Result<()> {
        let Placement { hosts, host_of_slot, own } = placement;
        let is_host = |index: &u32| (*index as usize) < hosts.len();
        if !is_host(&own) || !host_of_slot.iter().all(is_host) {
            return Err(impossible("a placement names a host that it does not list"));
        }
        self.slots = host_of_slot.len();
        let own = own as usize;
        let host_of_slot = move |slot: u32| host_of_slot.get(slot as usize).copied();
        self.host.place(Remote {
            own,
            // Deployments that reach beyond the placement are refused below.
            host_of: Arc::new(move |task| host_of_slot(task.subtask).map_or(own, |h| h as usize)),
            exchange: Arc::new(Peers::new(Arc::clone(&self.net), hosts.into())),
        });
        Ok(())
    }

    fn deploy(&self, deployment: TaskDeployment) -> Result<()> {
        let producers = deployment.inputs.iter().flat_map(|input| &input.producers);
        let consumers = deployment.outputs.iter().flat_map(|output| &output.consumers);
        let mut others = producers.chain(consumers).map(|(task, _)| task.subtask);
        let has_slot = |subtask: u32| (subtask as usize) < self.slots;
        if !has_slot(deployment.task.subtask) || !others.all(has_slot) {
            return Err(impossible("a deployment reaches beyond the slots that were placed"));
        }
        self.host.deploy(deployment);
        Ok(())
    }

    /// On a separate thread, since it may take long.
    fn abandon_output(&self) -> Result<()> {
        let (abandons, reports) = (self.abandons.clone(), Arc::clone(&self.reports));
        spawn("abandon", move || reports.push(HostReport::Abandoned(abandon_all(&abandons))))
    }
}

fn impossible(problem: &str) -> super::Error {
    Error::Malformed { what: "order", problem: problem.to_owned() }.into()
}

/// Continues after a failure; returns the first one.
fn abandon_all(abandons: &[Abandon]) -> Result<(), String> {
    let mut first = Ok(());
    for abandon in abandons {
        let abandoned = panics::catch(|| abandon());
        first = first.and(abandoned.map_err(|error| format!("{}: {error}", error.code())));
    }
    first
}
