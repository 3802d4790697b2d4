//! Keys of Flink that have no meaning here: ignored with a warning, or refused.
//!
//! Ignoring lets a Flink user's file be read as it is. A key is refused where ignoring it could lose
//! state, put state elsewhere or weaken a guarantee; a value that asks for no more than Weir does
//! is accepted all the same. A key moves from here to a table under `keys` when it gains a meaning.
//! A name that ends in `*` means all keys under it.

/// A key of Flink without meaning here.
#[derive(Debug)]
pub(crate) struct ForeignKey {
    /// Flink's name, or the beginning of names when it ends in `*`.
    pub name: &'static str,
    /// Why it is ignored or refused, or what to use instead.
    pub note: &'static str,
    /// Effect of setting it.
    pub treatment: Treatment,
}

/// Effect of setting a key that has no meaning in Weir.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// A warning names it.
    Ignored,
    /// It is an error, except for these values.
    Refused {
        /// Values with which ignoring the key changes nothing.
        harmless: &'static [&'static str],
    },
}

impl ForeignKey {
    /// Whether setting the key to this value is an error.
    pub fn refuses(&self, value: &str) -> bool {
        let value = value.trim();
        match self.treatment {
            Treatment::Ignored => false,
            Treatment::Refused { harmless } => {
                !value.is_empty() && !harmless.iter().any(|name| name.eq_ignore_ascii_case(value))
            }
        }
    }
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
        &[$($(ForeignKey { name: $name, note: $note, treatment: Treatment::Ignored },)+)+]
    };
}

const FROM_SAVEPOINT: &str = "a job cannot start from a savepoint or a retained checkpoint yet, and would \
    start without its state; a local job with execution.checkpointing.dir goes on from its last \
    checkpoint by itself";
const CLAIM: &str = "a job cannot start from a savepoint or a retained checkpoint yet, so it claims none; \
    remove the key";
const STORAGE: &str = "checkpoints are kept in the folder that execution.checkpointing.dir names, and \
    nowhere else";
const HIGH_AVAILABILITY: &str = "the resource manager restarts a failed app master, which goes on from \
    execution.checkpointing.dir or weir.cluster.storage-dir; set one of these instead";

const fn refused(
    name: &'static str,
    note: &'static str,
    harmless: &'static [&'static str],
) -> ForeignKey {
    ForeignKey { name, note, treatment: Treatment::Refused { harmless } }
}

/// Keys that are refused.
pub(crate) static REFUSED: &[ForeignKey] = &[
    refused("execution.state-recovery.path", FROM_SAVEPOINT, &[]),
    refused("execution.savepoint.path", FROM_SAVEPOINT, &[]),
    refused("execution.state-recovery.claim-mode", CLAIM, &["NO_CLAIM"]),
    refused("execution.savepoint-restore-mode", CLAIM, &["NO_CLAIM"]),
    refused("execution.checkpointing.storage", STORAGE, &["filesystem", "jobmanager"]),
    refused("state.checkpoint-storage", STORAGE, &["filesystem", "jobmanager"]),
    refused("high-availability", HIGH_AVAILABILITY, &["NONE"]),
    refused("high-availability.type", HIGH_AVAILABILITY, &["NONE"]),
    refused("high-availability.storageDir", HIGH_AVAILABILITY, &[]),
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static ForeignKey> {
    REFUSED.iter().chain(IGNORED)
}

/// Keys that are ignored.
pub(crate) static IGNORED: &[ForeignKey] = foreign! {
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
        "execution.checkpointing.savepoint-dir"
        "execution.checkpointing.incremental"
        "execution.checkpointing.checkpoints-after-tasks-finish"
        "execution.checkpointing.file-merging.enabled"
        "execution.checkpointing.interval-during-backlog"
        "execution.state-recovery.ignore-unclaimed-state"
        "execution.state-recovery.from-local"
        "execution.savepoint.ignore-unclaimed-state"
        "state.savepoints.dir"
        "state.backend.incremental"
        "state.backend.local-recovery"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_keys_accept_only_values_that_ask_for_nothing() {
        let find = |name: &str| all().find(|key| key.name == name).expect(name);
        for (name, value, is_refused) in [
            ("execution.savepoint.path", "/tmp/savepoint", true),
            ("execution.savepoint.path", " ", false),
            ("execution.state-recovery.claim-mode", "CLAIM", true),
            ("execution.state-recovery.claim-mode", "no_claim", false),
            ("high-availability", "zookeeper", true),
            ("high-availability.type", "NONE", false),
            ("high-availability.storageDir", "hdfs:///ha", true),
            ("state.checkpoint-storage", "org.example.Storage", true),
            ("state.checkpoint-storage", "filesystem", false),
            ("execution.checkpointing.unaligned", "true", false),
            ("state.savepoints.dir", "hdfs:///sp", false),
        ] {
            assert_eq!(find(name).refuses(value), is_refused, "{name}: {value}");
        }
    }
}
