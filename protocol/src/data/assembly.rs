//! Puts the pieces of one channel's batches together, within bounds.

use super::{Buffer, Error, Result};

/// Records of a batch that has more of them than bytes: those of a type without content.
pub const MAX_EMPTY_RECORDS: usize = 1 << 20;

const KEY_HASHES: u8 = 2;
const TIMESTAMPS: u8 = 4;
const WEIGHTS: u8 = 8;

/// The columns that precede the records, 8 bytes per record each, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Columns {
    pub key_hashes: bool,
    /// Event times.
    pub timestamps: bool,
    pub weights: bool,
}

impl Columns {
    /// Number of columns.
    pub fn count(self) -> usize {
        [self.key_hashes, self.timestamps, self.weights].into_iter().filter(|there| *there).count()
    }

    pub(super) fn to_flags(self) -> u8 {
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        flag(self.key_hashes, KEY_HASHES)
            | flag(self.timestamps, TIMESTAMPS)
            | flag(self.weights, WEIGHTS)
    }

    pub(super) fn from_flags(flags: u8) -> Result<Self> {
        if flags & !(KEY_HASHES | TIMESTAMPS | WEIGHTS) != 0 {
            return Err(Error::malformed("buffer", format!("it has unknown flags {flags:#04x}")));
        }
        Ok(Self {
            key_hashes: flags & KEY_HASHES != 0,
            timestamps: flags & TIMESTAMPS != 0,
            weights: flags & WEIGHTS != 0,
        })
    }
}

/// A whole batch, still encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncodedBatch {
    /// Number of records, at least 1.
    pub records: usize,
    /// Columns before the records.
    pub columns: Columns,
    /// Columns, then records.
    pub bytes: Vec<u8>,
}

impl EncodedBatch {
    /// Checks what can be checked without knowing the type; both sides of the wire do.
    pub fn check(&self) -> Result<()> {
        if self.records == 0 {
            return Err(Error::malformed("batch", "it has no records"));
        }
        let columns = self.columns.count().saturating_mul(8).saturating_mul(self.records);
        let Some(payload) = self.bytes.len().checked_sub(columns) else {
            let (length, records) = (self.bytes.len(), self.records);
            let problem =
                format!("{length} bytes are too few for the columns of {records} records");
            return Err(Error::malformed("batch", problem));
        };
        if self.records > payload.max(MAX_EMPTY_RECORDS) {
            let problem = format!("{} records are too many for {payload} bytes", self.records);
            return Err(Error::malformed("batch", problem));
        }
        Ok(())
    }
}

/// Gathers one channel's batch.
#[derive(Debug)]
pub struct BatchAssembler {
    partial: Vec<u8>,
    max_batch_bytes: usize,
}

impl BatchAssembler {
    /// Refuses batches above this size.
    pub fn new(max_batch_bytes: usize) -> Self {
        Self { partial: Vec::new(), max_batch_bytes }
    }

    /// Takes the next piece; gives the batch when it was the last one. Batches are put together in
    /// vectors that `empty` gives.
    pub fn piece(
        &mut self,
        buffer: &Buffer<'_>,
        empty: impl FnOnce() -> Vec<u8>,
    ) -> Result<Option<EncodedBatch>> {
        let length = self.partial.len() + buffer.bytes.len();
        if length > self.max_batch_bytes {
            return Err(Error::Oversized {
                what: "a batch",
                length_bytes: length as u64,
                limit_bytes: self.max_batch_bytes as u64,
            });
        }
        if self.partial.is_empty() {
            self.partial = empty();
        }
        self.partial.extend_from_slice(buffer.bytes);
        if !buffer.is_last {
            return Ok(None);
        }
        let batch = EncodedBatch {
            records: buffer.records as usize,
            columns: buffer.columns,
            bytes: std::mem::take(&mut self.partial),
        };
        batch.check()?;
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &[u8], records: u32, is_last: bool) -> Buffer<'_> {
        let columns = Columns { key_hashes: true, ..Columns::default() };
        Buffer { channel: 1, is_last, columns, records, bytes }
    }

    #[test]
    fn pieces_become_the_batch_and_the_next_one_starts_empty() {
        let mut assembler = BatchAssembler::new(100);
        for _ in 0..2 {
            assert_eq!(assembler.piece(&piece(&[1; 12], 2, false), Vec::new), Ok(None));
            let batch = assembler.piece(&piece(&[2; 6], 2, true), Vec::new).unwrap().unwrap();
            assert_eq!((batch.records, batch.bytes.len()), (2, 18));
        }
    }

    #[test]
    fn what_cannot_be_a_batch_is_refused() {
        for (bytes, records, code) in [
            (&[0; 101][..], 1, "WEIR-NET-0003"),
            (&[0; 100][..], 0, "WEIR-NET-0008"),
            (&[0; 7][..], 1, "WEIR-NET-0008"),
            (&[0; 100][..], u32::MAX, "WEIR-NET-0008"),
        ] {
            let refused = BatchAssembler::new(100).piece(&piece(bytes, records, true), Vec::new);
            assert_eq!(refused.unwrap_err().code(), code, "{records} in {}", bytes.len());
        }
        let unbounded = Buffer { columns: Columns::default(), ..piece(&[], u32::MAX, true) };
        assert!(BatchAssembler::new(100).piece(&unbounded, Vec::new).is_err());
    }
}
