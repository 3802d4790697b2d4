//! The contracts of the engine: what flows, what an operator, a source and a sink are, what a
//! keyed table is, how a key is hashed and a record is encoded.
//!
//! It runs nothing: no thread, no socket, no file, no backend. Operators see only this crate; the
//! runtime drives them through it.

#![warn(missing_docs)]

pub mod batch;
pub mod codec;
pub mod collector;
pub mod element;
pub mod error;
pub mod key_hash;
pub mod operator;
pub mod record;
pub mod schema_trace;
pub mod selection;
pub mod self_describing;
pub mod sink;
pub mod source;
pub mod table;
pub mod text;
pub mod vec_pool;

pub use batch::{Batch, Payload, PayloadType, TypedPayload};
pub use collector::Collector;
pub use element::{Barrier, Element, ElementGrammar, GrammarError};
pub use error::{Error, Result};
pub use key_hash::{KeyHasher, TypedKeyHasher, hash_key};
pub use operator::{
    Emit, ListState, Operator, OperatorContext, RestoredState, SourcePoll, SubtaskInfo,
    TableVisitor, Timestamp, Waker,
};
pub use record::{Key, Record};
pub use selection::Selection;
pub use self_describing::SelfDescribing;
pub use sink::{BoxedWriter, Committer, Sink, SinkContext, SinkWriter};
pub use source::{ReaderContext, Source, SourceReader};
pub use table::{KeyedTable, SnapshotTable};
pub use text::Text;
