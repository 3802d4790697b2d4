//! Typed streams: what an author strings operators to.

mod aggregations;
mod data_stream;
mod keyed;
mod sinks;
mod windowed;

pub use aggregations::AggregateFunction;
pub use data_stream::{DataStream, DataStreamSink};
pub use keyed::KeyedStream;
pub use windowed::{TumblingProcessingTimeWindows, WindowedStream};
