//! Task managers: `/taskmanagers` and `/taskmanagers/:id`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_base::JobId;

/// `/taskmanagers`
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TaskManagers {
    /// Task managers.
    pub taskmanagers: Vec<TaskManager>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// Its container.
    pub id: String,
    /// Its node and process: `127.0.0.1:8042/4711`.
    pub path: String,
    /// Where its task host takes records; 0 before there is one.
    pub data_port: u16,
    /// Always -1.
    pub jmx_port: i32,
    /// Time of its last heartbeat, in spite of the name.
    pub time_since_last_heartbeat: i64,
    pub slots_number: u32,
    /// Slots that run nothing.
    pub free_slots: u32,
    /// Subtasks that it runs.
    pub assigned_tasks: u32,
    /// Resources of its container.
    pub total_resource: ResourceProfile,
    /// The part that is not given to slots in use.
    pub free_resource: ResourceProfile,
    /// The machine, as far as the container may use it.
    pub hardware: Hardware,
    /// How its memory is divided.
    pub memory_configuration: MemoryConfiguration,
}

/// Resources of a task manager or slot. Memory in MiB.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ResourceProfile {
    /// Cores; 0 where not known.
    pub cpu_cores: f64,
    /// All of it: memory is not divided into pools.
    pub task_heap_memory: u64,
    /// Always 0.
    pub task_off_heap_memory: u64,
    /// Always 0.
    pub managed_memory: u64,
    /// Always 0.
    pub network_memory: u64,
    /// Always empty.
    pub extended_resources: BTreeMap<String, String>,
}

/// The machine, as far as the container may use it. Memory in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Hardware {
    /// Slots, since cores are not known here.
    pub cpu_cores: u32,
    /// Memory of the container.
    pub physical_memory: u64,
    /// Its unused part.
    pub free_memory: u64,
    /// Always 0.
    pub managed_memory: u64,
}

/// How memory is divided, in bytes: it is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MemoryConfiguration {
    pub framework_heap: u64,
    pub framework_off_heap: u64,
    pub task_off_heap: u64,
    pub network_memory: u64,
    pub managed_memory: u64,
    pub jvm_metaspace: u64,
    pub jvm_overhead: u64,
    /// Memory that task hosts may use.
    pub task_heap: u64,
    /// The same.
    pub total_flink_memory: u64,
    /// Memory that the container may use.
    pub total_process_memory: u64,
}

/// `/taskmanagers/:id`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerDetails {
    /// As in the list.
    #[serde(flatten)]
    pub task_manager: TaskManager,
    /// Slots in use.
    pub allocated_slots: Vec<AllocatedSlot>,
    pub metrics: TaskManagerMetrics,
}

/// A slot in use.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AllocatedSlot {
    #[cfg_attr(test, ts(type = "string"))]
    pub job_id: JobId,
    /// Its share of the task manager.
    pub resource: ResourceProfile,
    /// Subtasks that it runs.
    pub assigned_tasks: u32,
}

/// What a task manager has measured. Of Flink's numbers the three of the heap have a meaning: memory
/// of the process tree in bytes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerMetrics {
    pub heap_used: u64,
    pub heap_committed: u64,
    pub heap_max: u64,
    pub non_heap_used: u64,
    pub non_heap_committed: u64,
    pub non_heap_max: u64,
    pub direct_count: u64,
    pub direct_used: u64,
    pub direct_max: u64,
    pub mapped_count: u64,
    pub mapped_used: u64,
    pub mapped_max: u64,
    pub memory_segments_available: u64,
    pub memory_segments_total: u64,
    pub netty_shuffle_memory_segments_available: u64,
    pub netty_shuffle_memory_segments_used: u64,
    pub netty_shuffle_memory_segments_total: u64,
    pub netty_shuffle_memory_available: u64,
    pub netty_shuffle_memory_used: u64,
    pub netty_shuffle_memory_total: u64,
    pub garbage_collectors: Vec<GarbageCollector>,
}

/// There is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GarbageCollector {
    pub name: String,
    pub count: u64,
    pub time: u64,
}
