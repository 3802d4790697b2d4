//! Keys of Flink that have no meaning here: known, warned about, and ignored.
//!
//! They let a Flink user's file be read as it is. A key moves from here to a table under `keys`
//! when it gains a meaning. A name that ends in `*` stands for all keys under it.

/// A key of Flink without meaning here.
#[derive(Debug)]
pub(crate) struct ForeignKey {
    /// Flink's name, or the beginning of names when it ends in `*`.
    pub name: &'static str,
    /// Why it is ignored, or what to use instead.
    pub note: &'static str,
}

const LATER: &str = "Weir does not support it yet";
const JVM: &str = "it is about the JVM, and Weir runs without one";
const ROCKSDB: &str = "the RocksDB state backend is not supported yet";
const REMOVED: &str = "Flink 2.0 has removed it";
const BUFFERS: &str = "use taskmanager.network.memory.buffers-per-channel and \
    weir.exchange.bytes-per-channel";
const TASK_MEMORY: &str = "a task host's memory is not divided up";
const YARN_CLIENT: &str = "Weir has its own resource manager and needs no YARN client";

macro_rules! foreign {
    ($($note:ident { $($name:literal)+ })+) => {
        &[$($(ForeignKey { name: $name, note: $note },)+)+]
    };
}

/// All of them.
pub(crate) static KEYS: &[ForeignKey] = foreign! {
    LATER {
        "taskmanager.load-balance.mode"
        "jobmanager.rpc.address"
        "jobmanager.rpc.port"
        "jobmanager.execution.failover-strategy"
        "jobmanager.scheduler"
        "jobmanager.adaptive-scheduler.*"
        "jobmanager.archive.fs.dir"
        "historyserver.archive.fs.dir"
        "historyserver.web.port"
        "heartbeat.interval"
        "high-availability"
        "high-availability.type"
        "high-availability.storageDir"
        "high-availability.cluster-id"
        "high-availability.zookeeper.quorum"
        "high-availability.zookeeper.path.root"
        "rest.port"
        "rest.address"
        "rest.bind-port"
        "rest.bind-address"
        "rest.retry.max-attempts"
        "rest.retry.delay"
        "rest.server.max-content-length"
        "rest.client.max-content-length"
        "rest.flamegraph.enabled"
        "rest.profiling.enabled"
        "client.timeout"
        "web.port"
        "web.submit.enable"
        "web.cancel.enable"
        "web.rescale.enable"
        "web.checkpoints.history"
        "web.exception-history-size"
        "web.history"
        "web.upload.dir"
        "execution.attached"
        "execution.shutdown-on-attached-exit"
        "execution.batch.adaptive.*"
        "execution.checkpointing.max-concurrent-checkpoints"
        "execution.checkpointing.unaligned"
        "execution.checkpointing.unaligned.enabled"
        "execution.checkpointing.aligned-checkpoint-timeout"
        "execution.checkpointing.externalized-checkpoint-retention"
        "execution.checkpointing.savepoint-dir"
        "execution.checkpointing.storage"
        "execution.checkpointing.incremental"
        "execution.checkpointing.checkpoints-after-tasks-finish"
        "execution.checkpointing.file-merging.enabled"
        "execution.checkpointing.interval-during-backlog"
        "execution.state-recovery.path"
        "execution.state-recovery.claim-mode"
        "execution.state-recovery.ignore-unclaimed-state"
        "execution.state-recovery.from-local"
        "execution.savepoint.path"
        "execution.savepoint-restore-mode"
        "execution.savepoint.ignore-unclaimed-state"
        "state.savepoints.dir"
        "state.checkpoint-storage"
        "state.backend.incremental"
        "state.backend.local-recovery"
        "restart-strategy.exponential-delay.*"
        "restart-strategy.failure-rate.*"
        "pipeline.object-reuse"
        "pipeline.auto-watermark-interval"
        "pipeline.global-job-parameters.*"
        "pipeline.watermark-alignment.allow-unaligned-source-splits"
        "io.tmp.dirs"
        "env.log.dir"
        "metrics.reporters"
        "metrics.reporter.*"
        "metrics.latency.interval"
        "metrics.fetcher.update-interval"
        "table.*"
        "yarn.application.queue"
        "yarn.application.type"
        "yarn.application.id"
        "yarn.application.node-label"
        "yarn.application.priority"
        "yarn.ship-files"
        "yarn.tags"
    }
    JVM {
        "pipeline.jars"
        "pipeline.classpaths"
        "pipeline.generic-types"
        "classloader.resolve-order"
        "env.java.opts.*"
        "taskmanager.memory.jvm-metaspace.size"
        "taskmanager.memory.jvm-overhead.*"
        "jobmanager.memory.jvm-metaspace.size"
        "jobmanager.memory.jvm-overhead.*"
    }
    TASK_MEMORY {
        "jobmanager.memory.flink.size"
        "jobmanager.memory.heap.size"
        "taskmanager.memory.flink.size"
        "taskmanager.memory.framework.heap.size"
        "taskmanager.memory.framework.off-heap.size"
        "taskmanager.memory.task.heap.size"
        "taskmanager.memory.task.off-heap.size"
        "taskmanager.memory.managed.fraction"
        "taskmanager.memory.managed.size"
        "taskmanager.memory.network.fraction"
        "taskmanager.memory.network.min"
        "taskmanager.memory.network.max"
        "taskmanager.memory.min-segment-size"
        "taskmanager.network.memory.fraction"
        "taskmanager.network.memory.min"
        "taskmanager.network.memory.max"
    }
    BUFFERS {
        "taskmanager.network.memory.floating-buffers-per-gate"
        "taskmanager.network.memory.max-buffers-per-channel"
        "taskmanager.network.memory.max-overdraft-buffers-per-gate"
        "taskmanager.network.memory.buffer-debloat.enabled"
        "taskmanager.network.memory.buffer-debloat.target"
    }
    ROCKSDB {
        "state.backend.rocksdb.*"
    }
    YARN_CLIENT {
        "yarn.provided.lib.dirs"
        "yarn.provided.usrlib.dir"
        "yarn.staging-directory"
        "yarn.flink-dist-jar"
        "yarn.properties-file.location"
        "yarn.classpath.include-user-jar"
        "yarn.heartbeat.interval"
        "yarn.application-master.port"
    }
    REMOVED {
        "taskmanager.heap.size"
        "jobmanager.heap.size"
        "state.backend.async"
        "akka.*"
        "high-availability.zookeeper.path.jobgraphs"
        "cluster.evenly-spread-out-slots"
        "pipeline.auto-type-registration"
        "taskmanager.network.blocking-shuffle.type"
        "jobmanager.adaptive-batch-scheduler.*"
        "web.backpressure.*"
    }
};
