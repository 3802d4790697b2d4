//! Brain scripts: what goes in, and all that comes out.

mod beginning;
mod blaming;
mod checkpointing;
mod compaction;
mod ending;
mod failing;
mod retention;
pub(super) mod script;
