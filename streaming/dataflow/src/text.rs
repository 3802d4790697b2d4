//! [`Text`]: an immutable string of 16 bytes that keeps up to 15 bytes inside itself.
//!
//! The string of text sources and examples. A word costs no allocation, a longer text one that
//! its clones share. It derefs to `str`, compares and hashes as one, and serialises as one.
//!
//! ```text
//! inline  lo = bytes 0..8   hi = bytes 8..15, length in the top byte (0..=15)
//! shared  lo = pointer      hi = length,      0xff   in the top byte
//! ```
//!
//! Unused inline bytes are zero, so two short texts are equal exactly when both words are.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    ptr, slice,
    str::Utf8Error,
    sync::atomic::{AtomicUsize, Ordering as MemoryOrder, fence},
};

/// Longest text kept inside.
const INLINE_MAX: usize = 15;
const SHARED_TAG: u64 = 0xff;
const LENGTH_MASK: u64 = (1 << 56) - 1;
/// Bytes before a shared text's own: its reference count.
const HEADER_BYTES: usize = size_of::<AtomicUsize>();

/// An immutable string; short ones are stored inline. See the module's documentation.
///
/// ```
/// use weir_dataflow::Text;
/// let word = Text::from("weir");
/// assert_eq!(word, "weir");
/// assert_eq!(word.to_uppercase(), "WEIR");
/// ```
#[repr(C)]
pub struct Text {
    lo: u64,
    hi: u64,
}

// SAFETY: a shared text is immutable and its count is atomic, so it may be sent and shared.
unsafe impl Send for Text {}
// SAFETY: as above.
unsafe impl Sync for Text {}

impl Text {
    /// The empty text.
    pub const fn new() -> Self {
        Self { lo: 0, hi: 0 }
    }

    /// The text of these bytes.
    ///
    /// # Errors
    /// They are not UTF-8.
    #[inline(always)]
    pub fn from_utf8(bytes: &[u8]) -> Result<Self, Utf8Error> {
        if bytes.len() <= INLINE_MAX {
            let (lo, hi) = short_words(bytes);
            if (lo | hi) & HIGH == 0 {
                return Ok(Self::inline(lo, hi, bytes.len()));
            }
        }
        Self::checked(bytes)
    }

    #[cold]
    fn checked(bytes: &[u8]) -> Result<Self, Utf8Error> {
        std::str::from_utf8(bytes).map(Self::from)
    }

    /// A short text from its bytes as two zero-padded words.
    #[inline(always)]
    fn inline(lo: u64, hi: u64, len: usize) -> Self {
        // Little-endian words put byte i of the text at address i; on a big-endian machine the
        // words are stored swapped so that `as_bytes` still finds them in order.
        Self { lo: lo.to_le(), hi: (hi | ((len as u64) << 56)).to_le() }
    }

    /// The text as a slice.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: the bytes come from a `str` and never change.
        unsafe { std::str::from_utf8_unchecked(self.as_bytes()) }
    }

    /// The UTF-8 bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        let (data, len) = if self.is_shared() {
            (self.shared_bytes(), (self.hi & LENGTH_MASK) as usize)
        } else {
            (ptr::from_ref(self).cast::<u8>(), (self.hi >> 56) as usize)
        };
        // SAFETY: shared, the block holds `len` initialised bytes; inline, the first `len` <= 15
        // bytes of the two little-endian words are the text.
        unsafe { slice::from_raw_parts(data, len) }
    }

    /// The words of the text: what [`str::split_whitespace`] gives, as texts, and faster for words
    /// of up to 15 ASCII letters.
    ///
    /// ```
    /// use weir_dataflow::Text;
    /// let line = Text::from("to be, or not to be");
    /// assert_eq!(line.words().last(), Some(Text::from("be")));
    /// ```
    #[inline]
    pub fn words(&self) -> Words<'_> {
        Words { rest: self.as_str() }
    }

    /// The two words of a text that is stored inline, in the layout the key hash is defined on.
    #[inline]
    pub(crate) fn inline_words(&self) -> Option<(u64, u64)> {
        (!self.is_shared()).then_some((self.lo, self.hi))
    }

    #[inline]
    fn is_shared(&self) -> bool {
        self.hi >> 56 == SHARED_TAG
    }

    fn shared_bytes(&self) -> *const u8 {
        // SAFETY: a shared text's block starts with the header.
        unsafe { (self.lo as usize as *const u8).add(HEADER_BYTES) }
    }

    fn count(&self) -> &AtomicUsize {
        debug_assert!(self.is_shared());
        // SAFETY: the block starts with an aligned count and lives while a text points to it.
        unsafe { &*(self.lo as usize as *const AtomicUsize) }
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(HEADER_BYTES + len, align_of::<AtomicUsize>())
            .expect("a text is shorter than half the address space")
    }

    #[inline(never)]
    fn shared(bytes: &[u8]) -> Self {
        let layout = Self::layout(bytes.len());
        // SAFETY: the layout is not empty; the block is checked, then initialised in full.
        unsafe {
            let block = alloc(layout);
            if block.is_null() {
                handle_alloc_error(layout);
            }
            block.cast::<AtomicUsize>().write(AtomicUsize::new(1));
            ptr::copy_nonoverlapping(bytes.as_ptr(), block.add(HEADER_BYTES), bytes.len());
            Self { lo: block as usize as u64, hi: (SHARED_TAG << 56) | bytes.len() as u64 }
        }
    }

    #[inline(never)]
    fn release(&mut self) {
        // A count of one is this text alone, and nobody can clone it meanwhile: most texts are
        // never shared and go without a locked instruction.
        let alone = self.count().load(MemoryOrder::Acquire) == 1;
        if alone || self.count().fetch_sub(1, MemoryOrder::Release) == 1 {
            fence(MemoryOrder::Acquire);
            let len = (self.hi & LENGTH_MASK) as usize;
            // SAFETY: this was the last text that pointed to the block, made by `shared`.
            unsafe { dealloc(self.lo as usize as *mut u8, Self::layout(len)) }
        }
    }
}

/// The words of a text; see [`Text::words`].
pub struct Words<'a> {
    rest: &'a str,
}

/// Ones in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of every byte.
const HIGH: u64 = 0x80 * ONES;

/// The highest bit of each byte that ends a word of ASCII: white space, or the start of something
/// that is not ASCII.
#[inline]
fn word_ends(bytes: u64) -> u64 {
    let low = bytes & !HIGH;
    // 9..=13: reaches 0x80 when 0x77 is added, and not when 0x72 is.
    let control = (low + 0x77 * ONES) & !(low + 0x72 * ONES);
    let blank = low ^ (0x20 * ONES);
    let blank = !(blank + (HIGH - ONES));
    (control | blank | bytes) & HIGH
}

impl<'a> Words<'a> {
    /// The next word if it is short, ASCII, and far enough from the end to be read as two words
    /// of memory.
    #[inline]
    fn next_short(&mut self) -> Option<Text> {
        let bytes = self.rest.as_bytes().first_chunk::<16>()?;
        let (words, _) = bytes.as_chunks::<8>();
        let (lo, hi) = (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]));
        let (end_lo, end_hi) = (word_ends(lo), word_ends(hi));
        let len = if end_lo != 0 {
            end_lo.trailing_zeros() as usize / 8
        } else {
            8 + end_hi.trailing_zeros() as usize / 8
        };
        if len == 0 || len > INLINE_MAX || bytes[len] >= 0x80 {
            return None;
        }
        // Everything up to the blank is ASCII, so the cut is between characters.
        self.rest = self.rest.get(len + 1..)?;
        let keep = |word: u64, bytes: usize| {
            if bytes >= 8 { word } else { word & ((1u64 << (8 * bytes)) - 1) }
        };
        Some(Text { lo: keep(lo, len), hi: keep(hi, len.saturating_sub(8)) | ((len as u64) << 56) })
    }
}

impl Iterator for Words<'_> {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        if let Some(word) = self.next_short() {
            return Some(word);
        }
        let start = self.rest.trim_start();
        let len = start.find(char::is_whitespace).unwrap_or(start.len());
        let (word, rest) = start.split_at(len);
        self.rest = rest;
        (!word.is_empty()).then(|| Text::from(word))
    }
}

/// Up to 15 bytes as two zero-padded little-endian words, without the length.
#[inline(always)]
pub(crate) fn short_words(bytes: &[u8]) -> (u64, u64) {
    let len = bytes.len();
    debug_assert!(len <= INLINE_MAX);
    let u64_at = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    let u32_at = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&bytes[at..at + 4]);
        u64::from(u32::from_le_bytes(word))
    };
    if len > 8 {
        (u64_at(0), u64_at(len - 8) >> (8 * (16 - len)))
    } else if len == 8 {
        (u64_at(0), 0)
    } else if len >= 4 {
        (u32_at(0) | (u32_at(len - 4) << (8 * (len - 4))), 0)
    } else if len > 0 {
        let (first, middle, last) = (bytes[0], bytes[len / 2], bytes[len - 1]);
        let word = u64::from(first)
            | (u64::from(middle) << (8 * (len / 2)))
            | (u64::from(last) << (8 * (len - 1)));
        (word, 0)
    } else {
        (0, 0)
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        let bytes = text.as_bytes();
        if bytes.len() > INLINE_MAX {
            return Self::shared(bytes);
        }
        let (lo, hi) = short_words(bytes);
        Self::inline(lo, hi, bytes.len())
    }
}

#[cfg(target_endian = "big")]
compile_error!(
    "Text keeps its bytes in little-endian words; big-endian machines are not supported"
);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<char> for Text {
    fn from(c: char) -> Self {
        Self::from(&*c.encode_utf8(&mut [0; 4]))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl FromIterator<char> for Text {
    fn from_iter<I: IntoIterator<Item = char>>(chars: I) -> Self {
        Self::from(chars.into_iter().collect::<String>())
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Text {
    #[inline]
    fn clone(&self) -> Self {
        if self.is_shared() {
            self.count().fetch_add(1, MemoryOrder::Relaxed);
        }
        Self { lo: self.lo, hi: self.hi }
    }
}

impl Drop for Text {
    #[inline]
    fn drop(&mut self) {
        if self.is_shared() {
            self.release();
        }
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Equal words are equal texts; two shared texts may also be equal at different places.
        (self.lo == other.lo && self.hi == other.hi)
            || (self.is_shared() && self.hi == other.hi && self.as_bytes() == other.as_bytes())
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Text {
    // Always: called for each record of a batch, and a call would cost about what it does.
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Text {
    // Always, down to where the two words are made: handed over through memory as two words and
    // taken up as one value of 16 bytes, they would wait for each other.
    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            #[inline]
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::from(text))
            }

            #[inline(always)]
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Text, E> {
                Text::from_utf8(bytes).map_err(E::custom)
            }
        }
        // In compact formats a string is its bytes with their number before them, as for bytes; asked
        // for as bytes it is checked here, which takes two instructions for most words. Formats that
        // tell the two apart give what they have, and both are taken.
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_keep_their_bytes() {
        let source = "abcdefghijklmnopqrstuvwxyz é ß 水";
        for (end, _) in source.char_indices().chain([(source.len(), ' ')]) {
            let text = Text::from(&source[..end]);
            assert_eq!(text.as_str(), &source[..end]);
            assert_eq!(text.clone(), text);
            assert_eq!(text, Text::from(&source[..end]));
        }
    }

    #[test]
    fn different_texts_differ_also_with_zero_bytes_and_prefixes() {
        let texts = ["", "\0", "a", "a\0", "a\0\0", "abcdefgh", "abcdefgh\0", "abcdefghijklmno"];
        for (i, a) in texts.iter().enumerate() {
            for (j, b) in texts.iter().enumerate() {
                let (left, right) = (Text::from(*a), Text::from(*b));
                assert_eq!(left == right, i == j, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn shared_texts_are_freed_once_by_the_last_clone_on_any_thread() {
        let text = Text::from("a text that is longer than fifteen bytes");
        let clones: Vec<Text> = (0..8).map(|_| text.clone()).collect();
        let threads: Vec<_> =
            clones.into_iter().map(|clone| std::thread::spawn(move || clone.len())).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), text.len());
        }
        assert_eq!(text.count().load(MemoryOrder::Relaxed), 1);
    }

    #[test]
    fn words_are_those_of_split_whitespace() {
        let mut rng = weir_base::SeededRng::new(5);
        let letters = ["a", "b", "word", "é", "水", "\u{85}", "\u{a0}", "\u{3000}", "\0", "\x7f"];
        let blanks = [" ", "  ", "\t", "\n", "\x0b", "\x0c", "\r", "\x1c", "\u{2003}"];
        for _ in 0..20_000 {
            let mut line = String::new();
            for _ in 0..rng.below(40) {
                let of = if rng.percent(30) { &blanks[..] } else { &letters[..] };
                line.push_str(of[rng.below(of.len() as u64) as usize]);
            }
            let expected: Vec<&str> = line.split_whitespace().collect();
            let words: Vec<Text> = Text::from(line.as_str()).words().collect();
            assert_eq!(words, expected, "{line:?}");
            for word in &words {
                assert_eq!(*word, Text::from(word.as_str()), "stored alike");
            }
        }
    }

    #[test]
    fn bytes_are_a_text_only_where_they_are_utf8() {
        for bytes in [&b"short"[..], b"", "水".as_bytes(), "a longer text with é".as_bytes()] {
            assert_eq!(Text::from_utf8(bytes).unwrap(), std::str::from_utf8(bytes).unwrap());
        }
        for bytes in [&b"\xff"[..], b"cut \xe6\xb0", b"fifteen bytes \x80", &[b'x', 0xc0, 0x80]] {
            assert!(Text::from_utf8(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn compact_and_readable_formats_take_it_as_a_string() {
        for word in ["", "word", "fifteen letters", "水水", "more than sixteen letters"] {
            let text = Text::from(word);
            let bytes = crate::codec::encode(&text).unwrap();
            assert_eq!(bytes, crate::codec::encode(word).unwrap());
            assert_eq!(crate::codec::decode::<Text>(&bytes).unwrap(), text);
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
            let named = rmp_serde::to_vec_named(&text).unwrap();
            assert_eq!(named, rmp_serde::to_vec_named(word).unwrap());
            assert_eq!(rmp_serde::from_slice::<Text>(&named).unwrap(), text);
        }
        assert!(crate::codec::decode::<Text>(&[1, 0xff]).is_err());
    }

    #[test]
    fn it_is_two_words() {
        assert_eq!(size_of::<Text>(), 16);
    }
}
