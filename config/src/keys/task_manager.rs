//! Keys of tasks: batches, buffers, channels, cancellation.

use std::time::Duration;

use super::keys;
use crate::key::ConfigKey;
use crate::value::MemorySize;

keys! {
    "Tasks and exchange"

    /// How long a cancelled task may take to stop. After that its task host is killed. Flink's default
    /// is 180 s; it can be shorter here because a task host runs the tasks of one job only.
    TASK_CANCELLATION_TIMEOUT: ConfigKey<Duration> =
        ConfigKey::new("task.cancellation.timeout", "5 s").at_least("1 ms");

    /// The size of a buffer between task hosts. A batch whose encoding is larger is sent in several
    /// buffers. The key does not decide when a batch is closed: that is at 1,024 records or 32 KiB.
    MEMORY_SEGMENT_SIZE: ConfigKey<MemorySize> =
        ConfigKey::new("taskmanager.memory.segment-size", "32 kb")
            .at_least("4 kb")
            .at_most("32 kb");

    /// How many batches a channel may hold before its sender waits. A channel between two task hosts
    /// may hold four times as many, because its batches are encoded. Flink's default is 2.
    NETWORK_BUFFERS_PER_CHANNEL: ConfigKey<u32> =
        ConfigKey::new("taskmanager.network.memory.buffers-per-channel", "8")
            .at_least("1")
            .at_most("65536");

    /// How many bytes a channel may hold before its sender waits. A batch that is larger than this is
    /// sent when the channel is empty. Between two task hosts it is also sent when the channel holds
    /// less than a quarter of this size.
    EXCHANGE_BYTES_PER_CHANNEL: ConfigKey<MemorySize> =
        ConfigKey::new("weir.exchange.bytes-per-channel", "256 kb")
            .at_least("4 kb")
            .at_most("1 gb");
}
