//! Every operator, one file each: transformations, aggregates, windows, sources and sinks.
//!
//! An operator is synchronous and passive: it is called with a batch and emits batches. It knows
//! the contracts of `weir-dataflow` and nothing of threads, channels or backends.

#![warn(missing_docs)]

pub mod aggregate;
pub mod combine;
pub mod keyed_process;
pub mod process;
pub mod run;
pub mod sink;
pub mod source;
#[cfg(test)]
mod testing;
pub mod union;
pub mod window;

pub use aggregate::{Aggregation, KeyedAggregate};
pub use combine::{Combine, MergePartials};
pub use keyed_process::{KeyedContext, KeyedProcess, KeyedProcessFunction, StateHandle, States};
pub use process::{Process, ProcessFunction, RuntimeContext, UserResult};
pub use run::{Filter, FlatMap, Identity, Map, Run, RunOperator};
pub use union::Union;
pub use window::TumblingWindow;
