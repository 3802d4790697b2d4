//! Cuts files into pieces and deals these to readers so that each has about as many bytes.
//!
//! Largest first to the reader with the least, ties to the lowest index: the same files give the
//! same splits. Each reader gets its pieces in the order of files and offsets.

use super::{Compression, TextFileSplit, listing::InputFile};
use std::{cmp::Reverse, collections::BinaryHeap};

/// The splits of each of `parallelism` readers.
pub(super) fn deal(
    files: &[InputFile],
    parallelism: u32,
    split_size_bytes: u64,
) -> Vec<Vec<TextFileSplit>> {
    let pieces: Vec<Piece> =
        files.iter().flat_map(|file| cut(file, parallelism, split_size_bytes)).collect();
    let mut largest_first: Vec<usize> = (0..pieces.len()).collect();
    largest_first.sort_by_key(|index| Reverse(pieces[*index].size_bytes));

    let mut readers = vec![Vec::new(); parallelism as usize];
    let mut loads: BinaryHeap<_> = (0..readers.len()).map(|reader| Reverse((0, reader))).collect();
    for index in largest_first {
        if let Some(mut least) = loads.peek_mut() {
            let Reverse((load_bytes, reader)) = &mut *least;
            *load_bytes += pieces[index].size_bytes;
            readers[*reader].push(index);
        }
    }
    let in_order = |mut indices: Vec<usize>| {
        indices.sort_unstable();
        indices.into_iter().map(|index| pieces[index].split.clone()).collect()
    };
    readers.into_iter().map(in_order).collect()
}

struct Piece {
    split: TextFileSplit,
    size_bytes: u64,
}

/// The pieces of one file. A file that is cut at all is cut into a multiple of the number of
/// readers, so that none is left with a piece more than another.
fn cut(file: &InputFile, parallelism: u32, split_size_bytes: u64) -> Vec<Piece> {
    let piece = |start, end, size_bytes| Piece {
        split: TextFileSplit {
            path: file.path.clone(),
            compression: file.compression,
            start,
            end,
            position: start,
        },
        size_bytes,
    };
    let size_bytes = file.size_bytes;
    if file.compression != Compression::None {
        return vec![piece(0, u64::MAX, size_bytes)];
    }
    let pieces_count = match size_bytes.div_ceil(split_size_bytes) {
        few @ 0..=1 => few,
        many => many.next_multiple_of(u64::from(parallelism)).min(size_bytes),
    };
    let bound =
        |index: u64| (u128::from(size_bytes) * u128::from(index) / u128::from(pieces_count)) as u64;
    (0..pieces_count)
        .map(|index| (bound(index), bound(index + 1)))
        .map(|(start, end)| piece(start, end, end - start))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size_bytes: u64) -> InputFile {
        let compression = if name.ends_with(".gz") { Compression::Gzip } else { Compression::None };
        InputFile { path: name.into(), size_bytes, compression }
    }

    fn show(dealt: &[Vec<TextFileSplit>]) -> Vec<String> {
        let split = |split: &TextFileSplit| match split.end {
            u64::MAX => format!("{}", split.path.display()),
            end => format!("{}[{}..{end}]", split.path.display(), split.start),
        };
        dealt.iter().map(|splits| splits.iter().map(split).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn bytes_are_balanced_and_order_is_kept() {
        let cases: &[(&[InputFile], u32, &[&str])] = &[
            (&[file("a", 10)], 1, &["a[0..10]"]),
            (&[file("a", 10)], 2, &["a[0..10]", ""]), // as large as a piece: not cut
            (&[file("a", 11)], 1, &["a[0..5] a[5..11]"]),
            (&[file("a", 25)], 2, &["a[12..18] a[18..25]", "a[0..6] a[6..12]"]),
            (&[file("a", 12)], 3, &["a[0..4]", "a[4..8]", "a[8..12]"]), // a piece for each
            (&[file("a", 0), file("b", 3)], 1, &["b[0..3]"]),
            (&[file("a.gz", 100)], 2, &["a.gz", ""]),
            (&[file("a", 4), file("b", 9), file("c", 5)], 2, &["b[0..9]", "a[0..4] c[0..5]"]),
            (&[], 2, &["", ""]),
        ];
        for (files, parallelism, expected) in cases {
            assert_eq!(show(&deal(files, *parallelism, 10)), *expected, "{files:?}");
        }
    }

    #[test]
    fn a_file_has_no_more_pieces_than_bytes() {
        let dealt = deal(&[file("a", 2)], 8, 1);
        assert_eq!(dealt.iter().flatten().count(), 2);
    }
}
