//! Keys of a job on a cluster: the containers it runs in, and how long its parts wait for each other.

use std::time::Duration;

use super::keys;
use crate::key::{ConfigKey, OptionalKey};
use crate::value::MemorySize;

keys! {
    "Jobs on a cluster"

    /// The name of the application. Not set: the name of the job.
    APPLICATION_NAME: OptionalKey<String> =
        OptionalKey::new("yarn.application.name", "nightly word count");

    /// The memory of an app master's container.
    APP_MASTER_MEMORY: ConfigKey<MemorySize> =
        ConfigKey::new("jobmanager.memory.process.size", "256 mb").at_least("64 mb");

    /// The virtual cores of an app master's container.
    APP_MASTER_VCORES: ConfigKey<u32> =
        ConfigKey::new("yarn.appmaster.vcores", "1").at_least("1").at_most("65536");

    /// How many attempts the application has. The resource manager's limit,
    /// `yarn.resourcemanager.am.max-attempts`, is the maximum and the default.
    APPLICATION_ATTEMPTS: OptionalKey<u32> =
        OptionalKey::new("yarn.application-attempts", "2").at_least("1").at_most("1000");

    /// The memory of a task manager's container: 32 MiB are for the task manager, the rest is for its
    /// task host.
    TASK_MANAGER_MEMORY: ConfigKey<MemorySize> =
        ConfigKey::new("taskmanager.memory.process.size", "1 gb").at_least("96 mb");

    /// The slots of a task manager. A slot runs one subtask of every vertex of the job.
    TASK_SLOTS: ConfigKey<u32> =
        ConfigKey::new("taskmanager.numberOfTaskSlots", "1").at_least("1").at_most("1024");

    /// The virtual cores of a task manager's container. Not set: the number of slots.
    TASK_MANAGER_VCORES: OptionalKey<u32> =
        OptionalKey::new("yarn.containers.vcores", "2").at_least("1").at_most("65536");

    /// How long a job waits for its slots before it fails.
    SLOT_REQUEST_TIMEOUT: ConfigKey<Duration> =
        ConfigKey::new("slot.request.timeout", "5 min").at_least("1 ms");

    /// How long a task manager or task host may send nothing before it is treated as lost.
    HEARTBEAT_TIMEOUT: ConfigKey<Duration> =
        ConfigKey::new("heartbeat.timeout", "50 s").at_least("1 s");

    /// How often a web page requests new data.
    WEB_REFRESH_INTERVAL: ConfigKey<Duration> =
        ConfigKey::new("web.refresh-interval", "1 s").at_least("100 ms");
}
