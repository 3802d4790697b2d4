//! `/taskmanagers` and `/taskmanagers/:id`. While the job runs, those that are there; after its end,
//! every one it had.

use super::{
    Paths,
    extract::{Answer, Now, UNKNOWN, parameter},
    times::millis,
};
use crate::observed::{ManagerReading, Reading};
use actix_web::HttpRequest;
use weir_base::ContainerId;
use weir_config::keys;
use weir_protocol::rest::flink::task_managers::{
    AllocatedSlot, Hardware, MemoryConfiguration, ResourceProfile, TaskManager, TaskManagerDetails,
    TaskManagerMetrics, TaskManagers,
};
use weir_service::ApiError;

/// Memory that a task manager keeps for itself, in MiB.
const OWN_MEMORY_MIB: u64 = 32;

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/taskmanagers", list);
    paths.get("/taskmanagers/{taskmanagerid}", details);
}

async fn list(now: Now) -> Answer<TaskManagers> {
    Answer(list_of(&now.0))
}

async fn details(request: HttpRequest, now: Now) -> Result<Answer<TaskManagerDetails>, ApiError> {
    let manager = manager_of_path(&request, &now.0)?;
    Ok(Answer(details_of(&now.0, manager)))
}

/// The task manager of the path, also if it has ended.
pub(super) fn manager_of_path<'a>(
    request: &HttpRequest,
    reading: &'a Reading,
) -> Result<&'a ManagerReading, ApiError> {
    let id: ContainerId = parameter(request, "taskmanagerid")?;
    let manager = reading.managers.iter().find(|manager| manager.info.container == id);
    let unknown = || ApiError::not_found(UNKNOWN, format!("Could not find TaskExecutor {id}."));
    manager.ok_or_else(unknown)
}

/// The listed task managers.
pub(super) fn shown(reading: &Reading) -> impl Iterator<Item = &ManagerReading> {
    let all = reading.state.is_terminal();
    reading.managers.iter().filter(move |manager| all || manager.left_ms.is_none())
}

pub(super) fn list_of(reading: &Reading) -> TaskManagers {
    let one = |manager| task_manager(reading, manager);
    TaskManagers { taskmanagers: shown(reading).map(one).collect() }
}

fn task_manager(reading: &Reading, manager: &ManagerReading) -> TaskManager {
    let (info, used) = (&manager.info, used_slots(reading, manager));
    let free = info.slots.saturating_sub(used.len() as u32);
    let physical_memory = info.memory_mib << 20;
    let hosts_bytes = hosts_memory_mib(manager) << 20;
    TaskManager {
        id: info.container.to_string(),
        path: format!("{}/{}", info.node, info.pid),
        data_port: manager.data_port,
        jmx_port: -1,
        time_since_last_heartbeat: millis(manager.heard_ms),
        slots_number: info.slots,
        free_slots: free,
        assigned_tasks: used.iter().map(|slot| tasks_in(reading, *slot)).sum(),
        total_resource: slots_resource(reading, manager, info.slots),
        free_resource: slots_resource(reading, manager, free),
        hardware: Hardware {
            cpu_cores: vcores(reading, manager),
            physical_memory,
            free_memory: physical_memory.saturating_sub(manager.used_bytes()),
            managed_memory: 0,
        },
        memory_configuration: MemoryConfiguration {
            task_heap: hosts_bytes,
            total_flink_memory: hosts_bytes,
            total_process_memory: physical_memory,
            ..MemoryConfiguration::default()
        },
    }
}

pub(super) fn details_of(reading: &Reading, manager: &ManagerReading) -> TaskManagerDetails {
    let slot = |slot: &u32| AllocatedSlot {
        job_id: reading.facts.submission.job,
        resource: slots_resource(reading, manager, 1),
        assigned_tasks: tasks_in(reading, *slot),
    };
    TaskManagerDetails {
        task_manager: task_manager(reading, manager),
        allocated_slots: used_slots(reading, manager).iter().map(slot).collect(),
        metrics: TaskManagerMetrics {
            heap_used: manager.used_bytes(),
            heap_committed: manager.used_bytes(),
            heap_max: manager.info.memory_mib << 20,
            ..TaskManagerMetrics::default()
        },
    }
}

/// Slots in use: those given to the job, while it runs.
fn used_slots<'a>(reading: &Reading, manager: &'a ManagerReading) -> &'a [u32] {
    if reading.state.is_terminal() { &[] } else { &manager.used_slots }
}

/// A slot runs one subtask of every vertex that is as parallel.
fn tasks_in(reading: &Reading, slot: u32) -> u32 {
    reading.vertices.iter().filter(|vertex| vertex.parallelism > slot).count() as u32
}

/// The resources of a number of slots of a task manager.
fn slots_resource(reading: &Reading, manager: &ManagerReading, slots: u32) -> ResourceProfile {
    let all = manager.info.slots.max(1);
    ResourceProfile {
        cpu_cores: f64::from(vcores(reading, manager)) * f64::from(slots) / f64::from(all),
        task_heap_memory: hosts_memory_mib(manager) * u64::from(slots) / u64::from(all),
        ..ResourceProfile::default()
    }
}

fn hosts_memory_mib(manager: &ManagerReading) -> u64 {
    manager.info.memory_mib.saturating_sub(OWN_MEMORY_MIB)
}

fn vcores(reading: &Reading, manager: &ManagerReading) -> u32 {
    let set = reading.facts.config.get_optional(&keys::TASK_MANAGER_VCORES);
    set.unwrap_or(manager.info.slots)
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};
    use weir_protocol::job::JobStatus;

    #[test]
    fn ended_task_managers_are_listed_when_the_job_has_ended() {
        let mut reading = fixture::reading();
        let [there] = list_of(&reading).taskmanagers.try_into().expect("one is there");
        assert_eq!((there.slots_number, there.free_slots, there.assigned_tasks), (2, 0, 4));
        assert_eq!((there.data_port, there.total_resource.task_heap_memory), (4000, 992));
        let details = details_of(&reading, &reading.managers[0]);
        assert_eq!(details.allocated_slots.len(), 2);
        assert_eq!(details.allocated_slots[1].resource.task_heap_memory, 496);
        reading.state = JobStatus::Finished;
        let all = list_of(&reading).taskmanagers;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|manager| manager.assigned_tasks == 0));
    }
}
