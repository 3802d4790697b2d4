//! The trace of a run: a hash of everything that happened, and the lines when they are wanted.

use std::fmt::{self, Write};

/// FNV-1a over the lines of a trace; equal for equal runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceHash(pub u64);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Default for TraceHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for TraceHash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

/// Collects a trace.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: TraceHash,
    keep_lines: bool,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn new(keep_lines: bool) -> Self {
        Self { keep_lines, ..Self::default() }
    }

    /// Adds what happens at a moment.
    pub(crate) fn add(&mut self, now_ms: u64, what: fmt::Arguments<'_>) {
        // Hashing cannot fail.
        let _ = writeln!(self.hash, "{now_ms} {what}");
        if self.keep_lines {
            self.lines.push(format!("{now_ms:>8} {what}"));
        }
    }

    /// The hash and the lines kept.
    pub(crate) fn take(self) -> (TraceHash, Vec<String>) {
        (self.hash, self.lines)
    }
}
