//! Our side of `shuffle-local` and `shuffle-tcp`: a keyed exchange of 16-byte records.

use anyhow::{Result, bail};

use crate::outcome::{Outcome, Settings};

/// Two producers, two consumers, in one process, joined by pointer.
///
/// Answer: the records, and the wrapping sum of key xor value over them.
pub fn local(_settings: &Settings) -> Result<Outcome> {
    bail!("not written yet")
}

/// The same on two hosts with one subtask each, joined by loopback TCP.
pub fn tcp(_settings: &Settings) -> Result<Outcome> {
    bail!("not written yet")
}
