//! Task managers and their task hosts, also those that have ended, and the place of each slot.

use super::tasks::SubtaskLocation;
use std::{collections::BTreeMap, net::SocketAddr};
use weir_base::{ContainerId, NodeId};

/// Ended task managers that are still shown.
const MAX_LEFT: usize = 100;

/// A task manager as it introduced itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManagerInfo {
    pub container: ContainerId,
    /// Name or address of its node.
    pub host: String,
    pub node: NodeId,
    /// Its process.
    pub pid: u32,
    pub slots: u32,
    /// Memory of its container in MiB.
    pub memory_mib: u64,
}

/// A task host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostReading {
    /// Its number in the container.
    pub host: u32,
    /// Its process.
    pub pid: u32,
    /// Where it takes records.
    pub data_address: SocketAddr,
    /// Memory of its process tree in bytes.
    pub memory_bytes: u64,
}

impl HostReading {
    /// A task host whose memory is not known yet.
    pub(super) fn new(host: u32, pid: u32, data_address: SocketAddr) -> Self {
        Self { host, pid, data_address, memory_bytes: 0 }
    }
}

/// A task manager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManagerReading {
    /// As it introduced itself.
    pub info: ManagerInfo,
    /// When it did, in milliseconds since 1970.
    pub joined_ms: u64,
    /// When it ended; `None` while it runs.
    pub left_ms: Option<u64>,
    /// Time of its last message.
    pub heard_ms: u64,
    /// Memory that it uses itself, in bytes.
    pub own_bytes: u64,
    /// Its task hosts.
    pub hosts: Vec<HostReading>,
    /// Slots that are given to the job.
    pub used_slots: Vec<u32>,
    /// Where its latest task host took records; 0 before there was one.
    pub data_port: u16,
}

impl ManagerReading {
    /// Memory of itself and its task hosts, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.own_bytes + self.hosts.iter().map(|host| host.memory_bytes).sum::<u64>()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Managers {
    managers: BTreeMap<ContainerId, ManagerReading>,
    slots: BTreeMap<u32, ContainerId>,
}

impl Managers {
    pub(super) fn joined(&mut self, info: ManagerInfo, now_ms: u64) {
        let container = info.container;
        let manager = ManagerReading {
            info,
            joined_ms: now_ms,
            left_ms: None,
            heard_ms: now_ms,
            own_bytes: 0,
            hosts: Vec::new(),
            used_slots: Vec::new(),
            data_port: 0,
        };
        self.managers.insert(container, manager);
        self.forget_oldest();
    }

    pub(super) fn left(&mut self, container: ContainerId, now_ms: u64) {
        self.slots.retain(|_, at| *at != container);
        if let Some(manager) = self.managers.get_mut(&container) {
            manager.left_ms.get_or_insert(now_ms);
            manager.hosts.clear();
            manager.own_bytes = 0;
        }
    }

    pub(super) fn heard_of(&mut self, container: ContainerId, now_ms: u64) {
        if let Some(manager) = self.managers.get_mut(&container) {
            manager.heard_ms = now_ms;
        }
    }

    pub(super) fn memory(
        &mut self,
        container: ContainerId,
        own_bytes: u64,
        hosts: &[(u32, u64)],
        now_ms: u64,
    ) {
        let Some(manager) = self.managers.get_mut(&container) else { return };
        manager.heard_ms = now_ms;
        manager.own_bytes = own_bytes;
        for host in &mut manager.hosts {
            let reported = hosts.iter().find(|(number, _)| *number == host.host);
            host.memory_bytes = reported.map_or(host.memory_bytes, |(_, bytes)| *bytes);
        }
    }

    pub(super) fn host_joined(&mut self, container: ContainerId, host: HostReading) {
        if let Some(manager) = self.managers.get_mut(&container) {
            manager.data_port = host.data_address.port();
            manager.hosts.retain(|known| known.host != host.host);
            manager.hosts.push(host);
        }
    }

    pub(super) fn host_left(&mut self, container: ContainerId, host: u32) {
        if let Some(manager) = self.managers.get_mut(&container) {
            manager.hosts.retain(|known| known.host != host);
        }
    }

    pub(super) fn placed(&mut self, slots: Vec<(u32, ContainerId)>) {
        self.slots = slots.into_iter().collect();
    }

    /// Where a slot lies, if its task manager is known.
    pub(super) fn place_of_slot(&self, slot: u32) -> Option<SubtaskLocation> {
        self.place(*self.slots.get(&slot)?)
    }

    /// Where tasks of this container run.
    pub(super) fn place(&self, container: ContainerId) -> Option<SubtaskLocation> {
        let manager = self.managers.get(&container)?;
        let host = manager.info.host.clone();
        Some(SubtaskLocation { container, host, data_port: manager.data_port })
    }

    /// Every one, in the order of their containers.
    pub(super) fn readings(&self) -> Vec<ManagerReading> {
        let used = |container: &ContainerId| {
            let own = self.slots.iter().filter(|(_, at)| *at == container);
            own.map(|(slot, _)| *slot).collect()
        };
        let with_slots = |(container, manager): (&ContainerId, &ManagerReading)| ManagerReading {
            used_slots: used(container),
            ..manager.clone()
        };
        self.managers.iter().map(with_slots).collect()
    }

    fn forget_oldest(&mut self) {
        let left = |manager: &ManagerReading| manager.left_ms.is_some();
        while self.managers.values().filter(|manager| left(manager)).count() > MAX_LEFT {
            let oldest = self.managers.iter().find(|(_, manager)| left(manager));
            let Some(oldest) = oldest.map(|(container, _)| *container) else { return };
            self.managers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(sequence: u64) -> ContainerId {
        ContainerId { sequence, ..ContainerId::default() }
    }

    fn info(sequence: u64) -> ManagerInfo {
        ManagerInfo {
            container: container(sequence),
            host: "node".to_owned(),
            node: NodeId("node:8042".to_owned()),
            pid: 7,
            slots: 2,
            memory_mib: 1024,
        }
    }

    #[test]
    fn a_slot_keeps_its_place_until_its_task_manager_has_ended() {
        let mut managers = Managers::default();
        managers.joined(info(2), 1000);
        managers
            .host_joined(container(2), HostReading::new(1, 9, "127.0.0.1:4000".parse().unwrap()));
        managers.placed(vec![(0, container(2)), (1, container(2))]);
        let place =
            SubtaskLocation { container: container(2), host: "node".to_owned(), data_port: 4000 };
        assert_eq!(managers.place_of_slot(1), Some(place));
        assert_eq!(managers.place_of_slot(2), None);
        assert_eq!(managers.readings()[0].used_slots, [0, 1]);

        managers.left(container(2), 2000);
        assert_eq!(managers.place_of_slot(1), None);
        let left = &managers.readings()[0];
        assert_eq!((left.left_ms, left.used_slots.len(), left.data_port), (Some(2000), 0, 4000));
    }

    #[test]
    fn memory_counts_for_the_hosts_that_are_there() {
        let mut managers = Managers::default();
        managers.joined(info(2), 1000);
        managers
            .host_joined(container(2), HostReading::new(1, 9, "127.0.0.1:4000".parse().unwrap()));
        managers.memory(container(2), 10, &[(1, 500), (2, 9000)], 1500);
        let reading = &managers.readings()[0];
        assert_eq!((reading.used_bytes(), reading.heard_ms), (510, 1500));
        managers.memory(container(3), 10, &[], 1500);
        assert_eq!(managers.readings().len(), 1);
    }

    #[test]
    fn number_of_ended_task_managers_is_bounded() {
        let mut managers = Managers::default();
        for sequence in 1..=200 {
            managers.joined(info(sequence), sequence);
            managers.left(container(sequence), sequence);
        }
        managers.joined(info(201), 201);
        let readings = managers.readings();
        assert_eq!(readings.len(), MAX_LEFT + 1);
        assert_eq!(readings.last().map(|last| last.info.container), Some(container(201)));
    }
}
