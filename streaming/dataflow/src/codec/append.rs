//! Appends bytes to a vector, fast for short pieces.

/// Appends bytes.
#[inline]
pub(super) fn extend(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= SHORT_BYTES {
        extend_short(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
}

/// Pieces of up to this size are copied without a call.
const SHORT_BYTES: usize = 16;

/// Appends a short piece: two overlapping copies of a fixed size, which are an instruction each. Most
/// pieces of a record are short, and the call of a general copy would cost more than the copy.
#[inline]
pub(super) fn extend_short(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= SHORT_BYTES);
    if out.capacity() - out.len() < SHORT_BYTES {
        grow(out);
    }
    let count = bytes.len();
    let end = out.len();
    // SAFETY: at least `SHORT_BYTES` bytes of room follow `end`, and no copy begins or ends
    // outside the `count` bytes at either side.
    unsafe {
        let (from, to) = (bytes.as_ptr(), out.as_mut_ptr().add(end));
        if count >= 8 {
            copy::<8>(from, to);
            copy::<8>(from.add(count - 8), to.add(count - 8));
        } else if count >= 4 {
            copy::<4>(from, to);
            copy::<4>(from.add(count - 4), to.add(count - 4));
        } else if count >= 2 {
            copy::<2>(from, to);
            copy::<2>(from.add(count - 2), to.add(count - 2));
        } else if count == 1 {
            copy::<1>(from, to);
        }
        out.set_len(end + count);
    }
}

/// Copies `N` bytes.
///
/// # Safety
/// Both sides have them, and do not overlap.
#[inline]
unsafe fn copy<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; arrays of bytes have no alignment.
    unsafe { to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read()) }
}

#[cold]
fn grow(out: &mut Vec<u8>) {
    out.reserve(out.len().max(SHORT_BYTES));
}
