//! Sources, and the two operators that run any source.
//!
//! ```text
//! SourceCoordinator (1, hidden) ──broadcast──▶ SourceReaderOperator (n)
//!   enumerate() once                            reader(): add_splits, poll_batch …
//! ```
//!
//! | source | splits | ends | after a restart |
//! |---|---|---|---|
//! | [`CollectionSource`] | ranges of the elements | yes | goes on behind the last element |
//! | [`SequenceSource`] | ranges of numbers | yes | goes on behind the last number |
//! | [`TextFileSource`] | files and pieces of files | yes | goes on behind the last line |
//! | [`SocketTextSource`] | the one address | when the peer closes | connects anew; lines are lost |

mod collection;
mod operator;
pub(crate) mod path_bytes;
mod sequence;
mod socket;
mod text_file;

pub use collection::{CollectionSource, CollectionSplit};
pub use operator::{
    ENUMERATED_STATE, SPLITS_STATE, SourceCoordinator, SourceReaderOperator, SplitAssignment,
};
pub use sequence::{SequenceSource, SequenceSplit};
pub use socket::{SocketTextSource, SocketTextSplit};
pub use text_file::{Compression, DEFAULT_SPLIT_SIZE_BYTES, TextFileSource, TextFileSplit};

/// Position `index` of `parts` where `total` things are cut into contiguous parts whose lengths
/// differ by one at most.
fn part_start(total: u128, parts: u32, index: u32) -> u128 {
    // The quotient first: `total * index` could overflow.
    let (each, extra) = (total / u128::from(parts), total % u128::from(parts));
    each * u128::from(index) + extra.min(u128::from(index))
}

#[cfg(test)]
mod test_reader {
    //! Runs one reader by hand.

    use std::sync::Arc;
    use weir_dataflow::{Collector, ReaderContext, Result, Source, SourcePoll, SourceReader};

    pub type Reader<S> =
        Box<dyn SourceReader<Item = <S as Source>::Item, Split = <S as Source>::Split>>;

    pub fn reader_of<S: Source>(source: &S, splits: Vec<S::Split>) -> Result<Reader<S>> {
        let context = ReaderContext { subtask: 0, parallelism: 1, waker: Arc::new(|| ()) };
        let mut reader = source.reader(context)?;
        reader.add_splits(splits)?;
        Ok(reader)
    }

    /// Polls until the end; nothing may be pending.
    pub fn drain<S: Source>(reader: &mut Reader<S>, budget: usize) -> Result<Vec<S::Item>> {
        let mut out = Collector::new();
        loop {
            match reader.poll_batch(budget, &mut out)? {
                SourcePoll::More => {}
                SourcePoll::End => return Ok(out.take()),
                SourcePoll::Pending(_) => panic!("a bounded reader has nothing to wait for"),
            }
        }
    }

    /// All that a source gives to `parallelism` readers, reader by reader.
    pub fn read_all<S: Source>(source: &S, parallelism: u32) -> Result<Vec<Vec<S::Item>>> {
        let dealt = source.enumerate(parallelism)?;
        assert_eq!(dealt.len(), parallelism as usize);
        dealt.into_iter().map(|splits| drain::<S>(&mut reader_of(source, splits)?, 7)).collect()
    }
}
