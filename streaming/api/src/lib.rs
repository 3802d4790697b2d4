//! Weir: streaming and batch jobs in Rust.
//!
//! A job is an ordinary program. It describes a graph of streams and calls
//! [`execute`](StreamExecutionEnvironment::execute):
//!
//! ```
//! use weir::prelude::*;
//!
//! let env = StreamExecutionEnvironment::new()?;
//! env.set_parallelism(2);
//! let counts = env
//!     .from_elements(["to be or not", "to be"].map(Text::from))
//!     .flat_map(|line: Text, out: &mut Collector<(Text, u64)>| {
//!         out.extend(line.split_whitespace().map(|word| (Text::from(word), 1)));
//!     })
//!     .key_by(|(word, _)| word.clone())
//!     .sum(|(_, count)| count);
//! counts.print();
//! env.execute("word count")?;
//! # Ok::<(), weir::Error>(())
//! ```
//!
//! The graph is built lazily: nothing runs before `execute`. Started by hand the program runs its
//! job inside itself, with the same coordination and runtime as on a cluster. Records are any
//! serde types; there is nothing else to implement or register.
//!
//! Some of serde does not fit the compact encoding of records (`#[serde(tag)]`, `untagged`, `flatten`,
//! `skip_serializing_if`, `serde_json::Value`). `execute` refuses such types (`WEIR-TYPE-0003`), unless
//! they are wrapped in [`SelfDescribing`]:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use weir::{SelfDescribing, prelude::*};
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! #[serde(tag = "kind")]
//! enum Event {
//!     Click { x: i32 },
//!     Close,
//! }
//!
//! # let env = StreamExecutionEnvironment::with_config(weir::Config::default());
//! env.from_elements([Event::Click { x: 1 }, Event::Close].map(SelfDescribing))
//!     .filter(|event| matches!(**event, Event::Click { .. }))
//!     .print();
//! env.execute("clicks")?;
//! # Ok::<(), weir::Error>(())
//! ```
//!
//! What `execute` does depends on the process that has started the program:
//!
//! ```text
//! by hand, weir run -t local    role local    runs the job in this process            (local)
//! weir run -t per-job, info     role client   hands the graph over, waits for the job  (remote)
//! a task manager                role task     runs the tasks that are deployed to it, never returns (task)
//! ```

#![warn(missing_docs)]

mod environment;
mod error;
mod job;
mod launch;
mod local;
mod plan;
mod remote;
mod stream;
mod task;

pub use environment::StreamExecutionEnvironment;
pub use error::{Error, Result};
pub use job::{JobClient, JobExecutionResult, OperatorResult};
pub use stream::{
    AggregateFunction, DataStream, DataStreamSink, KeyedStream, TumblingProcessingTimeWindows,
    WindowedStream,
};
pub use weir_base::{CheckpointId, JobId};
pub use weir_config::{Config, ConfigBuilder, Folder, MemorySize, keys};
pub use weir_coordination::{ExponentialDelay, JobView, RestartStrategy};
pub use weir_dataflow::self_describing;
pub use weir_dataflow::{
    Collector, Committer, Error as TaskError, Key, ReaderContext, Record, Result as TaskResult,
    SelfDescribing, Sink, SinkContext, SinkWriter, Source, SourcePoll, SourceReader, Text,
    Timestamp, Waker,
};
pub use weir_graph::RuntimeMode;
pub use weir_operators::{
    KeyedContext, KeyedProcessFunction, ProcessFunction, RuntimeContext, StateHandle, States,
    UserResult,
};
pub use weir_protocol::job::JobStatus;

/// What the variants of [`Error`] hold.
pub mod errors {
    pub use weir_base::{Failure, FailureOrigin};
    pub use weir_checkpoint_storage::Error as CheckpointStorageError;
    pub use weir_config::Error as ConfigurationError;
    pub use weir_coordination::PlanError;
    pub use weir_protocol::job_executable::Error as LaunchError;
}

/// The parts of [`JobView`], which [`JobClient::status`] returns.
pub mod job_view {
    pub use weir_coordination::job_master::{
        CheckpointRecord, CheckpointsView, FailureRecord, Spread, StatusTime, SubtaskView,
        VertexView,
    };
    pub use weir_protocol::job::{CheckpointCounts, CheckpointStatus, ExecutionState};
}

/// The types of [`DataStream`]'s second parameter: what `map`, `filter` and `flat_map` have added to the
/// operator that is still open.
pub mod fused {
    pub use weir_operators::{Filter, FlatMap, Identity, Map, Run};
}

/// The built-in sources and sinks as types, for their options.
pub mod connectors {
    pub use weir_operators::{
        sink::{DiscardSink, PrintSink, TextFileSink},
        source::{CollectionSource, SequenceSource, SocketTextSource, TextFileSource},
    };
}

/// What nearly every job imports.
pub mod prelude {
    pub use crate::{
        AggregateFunction, Collector, DataStream, KeyedContext, KeyedProcessFunction, KeyedStream,
        ProcessFunction, RuntimeContext, StateHandle, States, StreamExecutionEnvironment, Text,
        TumblingProcessingTimeWindows, UserResult,
    };
}

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
