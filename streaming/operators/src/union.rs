//! Union: many streams of one type become one. Nothing is reordered within a stream.
//!
//! State: none. Cost: one call per batch.

use weir_dataflow::{Batch, Operator, OperatorContext, Result};

/// Passes every input on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Union;

impl Operator for Union {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        ctx.emit(batch)
    }
}
