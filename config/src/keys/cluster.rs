//! Keys of the daemons: resource manager, node agents. They are set in the file or the environment of
//! the daemon, or by `weir cluster start --config`, never by a job.

use std::time::Duration;

use super::keys;
use crate::folder::Folder;
use crate::key::{ConfigKey, OptionalKey};
use crate::value::MemorySize;
use weir_base::Share;

keys! {
    "Resource manager and node agents" (Daemon)

    /// Where the resource manager listens, as `host:port`. The command line uses this address
    /// when no cluster was started on this machine and `--cluster` is not given. Use an address that
    /// is not loopback only in a network in which every user is trusted.
    RESOURCE_MANAGER_ADDRESS: ConfigKey<String> =
        ConfigKey::new("yarn.resourcemanager.webapp.address", "127.0.0.1:8088");

    /// How often a node agent and an app master send a heartbeat to the resource manager. A change is
    /// sent at once.
    NODE_HEARTBEAT_INTERVAL: ConfigKey<Duration> =
        ConfigKey::new("yarn.resourcemanager.nodemanagers.heartbeat-interval-ms", "1 s")
            .at_least("10 ms")
            .at_most("1 min");

    /// How long a node may send nothing before it and its containers are treated as lost. YARN's default is 10 min.
    NODE_EXPIRY: ConfigKey<Duration> =
        ConfigKey::new("yarn.nm.liveness-monitor.expiry-interval-ms", "30 s").at_least("100 ms");

    /// How long an app master may send nothing before its attempt fails. YARN's default is 10 min.
    APP_MASTER_EXPIRY: ConfigKey<Duration> =
        ConfigKey::new("yarn.am.liveness-monitor.expiry-interval-ms", "30 s").at_least("100 ms");

    /// How long a leased container may wait for its start before the lease ends. YARN's default is
    /// 10 min.
    CONTAINER_ALLOCATION_EXPIRY: ConfigKey<Duration> =
        ConfigKey::new("yarn.resourcemanager.rm.container-allocation.expiry-interval-ms", "1 min")
            .at_least("100 ms");

    /// How long a restarted resource manager waits for nodes and app masters to register again
    /// before it leases containers.
    RECOVERY_WAIT: ConfigKey<Duration> =
        ConfigKey::new("yarn.resourcemanager.work-preserving-recovery.scheduling-wait-ms", "2 s");

    /// How long an application waits for a container that is larger than every node of the cluster. A
    /// larger node may join or come back in this time. After it the application fails with the reason.
    /// A request that no known node could hold is refused at once.
    LARGER_NODE_WAIT: ConfigKey<Duration> =
        ConfigKey::new("weir.resource-manager.larger-node-wait", "2 min");

    /// How many attempts an application has before it fails.
    MAX_APP_ATTEMPTS: ConfigKey<u32> =
        ConfigKey::new("yarn.resourcemanager.am.max-attempts", "2").at_least("1").at_most("1000");

    /// How many ended applications are kept, with the data of their web pages.
    MAX_COMPLETED_APPLICATIONS: ConfigKey<u32> =
        ConfigKey::new("yarn.resourcemanager.max-completed-applications", "1000")
            .at_most("1000000");

    /// The share of the cluster's memory and virtual cores that app masters may hold, rounded up. The
    /// rest is for the containers of task managers. When the share is used up, a new application waits
    /// until another one has ended. One app master is always admitted. YARN's default is 0.1.
    MAXIMUM_AM_RESOURCE_PERCENT: ConfigKey<Share> =
        ConfigKey::new("yarn.scheduler.capacity.maximum-am-resource-percent", "0.5");

    /// How long the oldest application that waits for containers waits before younger applications are
    /// preempted for it. An application is preempted only if it waits for containers too and holds
    /// resources that the oldest one needs. It starts again when there is room, and this does not count
    /// as a failed attempt. YARN's
    /// default is 15 s.
    MAX_WAIT_BEFORE_GIVING_WAY: ConfigKey<Duration> = ConfigKey::new(
        "yarn.resourcemanager.monitor.capacity.preemption.max_wait_before_kill",
        "5 s",
    )
    .at_least("100 ms");

    /// The memory of a container request is rounded up to a multiple of this many MiB. YARN's default is 1024.
    MINIMUM_ALLOCATION_MB: ConfigKey<u64> =
        ConfigKey::new("yarn.scheduler.minimum-allocation-mb", "128")
            .at_least("1")
            .at_most("1048576");

    /// The largest file that may be uploaded.
    MAX_ARTIFACT_SIZE: ConfigKey<MemorySize> =
        ConfigKey::new("weir.resource-manager.max-artifact-size", "2 gb").at_least("1 kb");

    /// A folder that every node can access, as a path or a `file:///` URI. Jobs that set no checkpoint
    /// folder keep their checkpoints and their log in it. Not set: such a job fails when its app master
    /// ends.
    CLUSTER_STORAGE_DIR: OptionalKey<Folder> =
        OptionalKey::new("weir.cluster.storage-dir", "file:///var/lib/weir/storage");

    /// The memory that a node offers, in MiB.
    NODE_MEMORY_MB: ConfigKey<u64> =
        ConfigKey::new("yarn.nodemanager.resource.memory-mb", "4096")
            .at_least("64")
            .at_most("1073741824");

    /// The virtual cores that a node offers.
    NODE_VCORES: ConfigKey<u32> =
        ConfigKey::new("yarn.nodemanager.resource.cpu-vcores", "4").at_least("1").at_most("65536");

    /// How often the memory of containers is measured. YARN's default is 3 s.
    CONTAINER_MONITOR_INTERVAL: ConfigKey<Duration> =
        ConfigKey::new("yarn.nodemanager.container-monitor.interval-ms", "1 s").at_least("50 ms");

    /// How long a container may take to end after SIGTERM before it gets SIGKILL.
    KILL_DELAY: ConfigKey<Duration> =
        ConfigKey::new("yarn.nodemanager.sleep-delay-before-sigkill.ms", "250 ms");

    /// The size of a node agent's cache above which files that no container uses are deleted, oldest
    /// first.
    CACHE_TARGET_SIZE_MB: ConfigKey<u64> =
        ConfigKey::new("yarn.nodemanager.localizer.cache.target-size-mb", "10240")
            .at_most("1073741824");

    /// How many seconds the logs of a container are kept after its application has ended.
    LOG_RETAIN_SECONDS: ConfigKey<u64> =
        ConfigKey::new("yarn.nodemanager.log.retain-seconds", "10800").at_most("1000000000");

    /// The size at which a log file of a container is rotated.
    CONTAINER_LOG_MAX_SIZE: ConfigKey<MemorySize> =
        ConfigKey::new("weir.node-agent.log.max-size", "16 mb").at_least("4 kb");

    /// How many rotated files of a log are kept beside the current one.
    CONTAINER_LOG_MAX_FILES: ConfigKey<u32> =
        ConfigKey::new("weir.node-agent.log.max-files", "4").at_most("1000");
}
