//! State backends: how keyed tables and operator lists get into a checkpoint and back.
//!
//! The *heap* backend keeps all state in the operators' own tables, so nothing stands behind
//! them: it marks the tables at a barrier ([`HeapSnapshot::begin`]), encodes them in slices
//! between batches ([`HeapSnapshot::advance`]), and fills them again on restore
//! ([`restore::restored_states`]). No lock, and no stop for the size of the state.

pub mod heap;
pub mod restore;
pub mod task_snapshot;

pub use heap::HeapSnapshot;
pub use restore::restored_states;
pub use task_snapshot::{OperatorSnapshot, TableSnapshot, TaskSnapshot};
