//! What flows on a channel, and in which order it may.
//!
//! ```text
//! channel  = { batch | watermark | idle | active | latency-marker | barrier | cancelled }
//!            end-of-data
//!            { barrier | cancelled }            a bounded job takes its final checkpoint
//!            end-of-input                       nothing follows
//! ```
//!
//! Watermarks never fall, barrier ids grow, and a channel may also simply stop when its task
//! is cancelled. Control elements need no credit.

use crate::{batch::Batch, operator::Timestamp};
use serde::{Deserialize, Serialize};
use weir_base::CheckpointId;

/// A checkpoint barrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Barrier {
    /// The checkpoint it belongs to.
    pub checkpoint: CheckpointId,
}

/// One element of a channel.
#[derive(Debug)]
pub enum Element {
    /// Records.
    Batch(Batch),
    /// No record with a smaller timestamp follows.
    Watermark(Timestamp),
    /// Nothing may come for a while: watermarks need not wait for this channel.
    Idle,
    /// Ends idleness.
    Active,
    /// Everything before it belongs to the checkpoint.
    Barrier(Barrier),
    /// The barrier of this checkpoint will not come.
    BarrierCancelled(CheckpointId),
    /// Carries its time of birth (milliseconds since 1970) to measure latency.
    LatencyMarker(u64),
    /// No record follows.
    EndOfData,
    /// Nothing follows.
    EndOfInput,
}

/// Checks one channel's elements against the grammar; part of the law checkers.
#[derive(Clone, Debug, Default)]
pub struct ElementGrammar {
    watermark: Option<Timestamp>,
    checkpoint: Option<CheckpointId>,
    idle: bool,
    data_ended: bool,
    input_ended: bool,
}

/// A broken grammar rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("illegal element: {0}")]
pub struct GrammarError(pub &'static str);

impl ElementGrammar {
    /// Takes the next element of the channel.
    pub fn check(&mut self, element: &Element) -> Result<(), GrammarError> {
        if self.input_ended {
            return Err(GrammarError("something follows end of input"));
        }
        match element {
            Element::Barrier(Barrier { checkpoint }) => {
                if self.checkpoint.is_some_and(|last| last >= *checkpoint) {
                    return Err(GrammarError("a barrier's id does not grow"));
                }
                self.checkpoint = Some(*checkpoint);
            }
            Element::BarrierCancelled(checkpoint) => {
                if self.checkpoint.is_some_and(|last| last > *checkpoint) {
                    return Err(GrammarError("an older barrier is cancelled after a newer one"));
                }
            }
            Element::EndOfInput => {
                if !self.data_ended {
                    return Err(GrammarError("end of input comes without end of data"));
                }
                self.input_ended = true;
            }
            _ if self.data_ended => return Err(GrammarError("something follows end of data")),
            Element::Batch(batch) => {
                if batch.is_empty() {
                    return Err(GrammarError("a batch is empty"));
                }
                if self.idle {
                    return Err(GrammarError("a batch comes from an idle channel"));
                }
            }
            Element::Watermark(watermark) => {
                if self.watermark.is_some_and(|last| last >= *watermark) {
                    return Err(GrammarError("a watermark does not grow"));
                }
                self.watermark = Some(*watermark);
            }
            Element::Idle => self.idle = true,
            Element::Active => self.idle = false,
            Element::EndOfData => self.data_ended = true,
            Element::LatencyMarker(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(elements: &[Element]) -> Result<(), GrammarError> {
        let mut grammar = ElementGrammar::default();
        elements.iter().try_for_each(|element| grammar.check(element))
    }

    fn barrier(id: u64) -> Element {
        Element::Barrier(Barrier { checkpoint: CheckpointId(id) })
    }

    #[test]
    fn a_bounded_channel_with_a_final_checkpoint_is_legal() {
        let batch = || Element::Batch(Batch::of(vec![1u64]));
        let legal = [
            batch(),
            barrier(1),
            Element::Watermark(5),
            Element::Idle,
            Element::Active,
            batch(),
            Element::EndOfData,
            barrier(2),
            Element::EndOfInput,
        ];
        assert_eq!(check(&legal), Ok(()));
    }

    #[test]
    fn illegal_sequences_are_named() {
        let batch = || Element::Batch(Batch::of(vec![1u64]));
        for illegal in [
            vec![Element::EndOfData, batch()],
            vec![Element::EndOfInput],
            vec![Element::EndOfData, Element::EndOfInput, barrier(1)],
            vec![barrier(2), barrier(2)],
            vec![Element::Watermark(5), Element::Watermark(5)],
            vec![Element::Idle, batch()],
            vec![Element::Batch(Batch::of(Vec::<u64>::new()))],
        ] {
            assert!(check(&illegal).is_err(), "{illegal:?}");
        }
    }
}
