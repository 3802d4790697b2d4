//! Union: many streams of one type become one. Nothing is reordered within a stream.
//!
//! State: none. Cost: one call per batch.

use weir_dataflow::{Batch, Operator, OperatorContext, Result};

/// Passes every input on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Union;

impl Operator for Union {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        // What comes in may be keyed by different functions, and the next edge by yet another.
        ctx.emit(batch.without_key_hashes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_dataflow::operator::Gathered;

    #[test]
    fn hashes_of_an_earlier_key_are_not_passed_on() {
        let mut gathered = Gathered::default();
        let batch = Batch::of(vec![1u64, 2]).with_key_hashes(vec![7, 8]);
        Union.on_batch(0, batch, &mut OperatorContext::new(&mut gathered, 0)).unwrap();
        assert!(gathered.batches[0].1.key_hashes().is_none());
        assert_eq!(gathered.take_records::<u64>().unwrap(), [1, 2]);
    }
}
