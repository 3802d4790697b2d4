//! Parameters and result of one measurement, and their transfer to and from the child process.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The implementation that a measurement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// Weir.
    Ours,
    /// The peer.
    Peer,
}

impl Side {
    /// As given to `--side`.
    pub fn flag(self) -> &'static str {
        match self {
            Side::Ours => "ours",
            Side::Peer => "peer",
        }
    }
}

/// Parameters of a measurement.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Size of the generated text, in millions of bytes.
    pub text_megabytes: u64,
}

/// Result of a side. Two sides agree when these are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Records that reached the sink.
    pub record_count: u64,
    /// A sum over these records that does not depend on their order.
    pub checksum: u64,
}

/// One measurement.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Outcome {
    /// Seconds from the call that starts the work to its end, without the start of the process; or
    /// bytes, where memory is measured.
    pub measured: f64,
    /// The result.
    pub answer: Answer,
}

/// Starts the line by which a child reports, so that other output of a side does no harm.
const LINE_PREFIX: &str = "outcome: ";

impl Outcome {
    /// The child's line.
    pub fn to_line(self) -> anyhow::Result<String> {
        Ok(format!("{LINE_PREFIX}{}", serde_json::to_string(&self)?))
    }

    /// Finds the line in what a child printed.
    pub fn from_output(output: &str) -> anyhow::Result<Self> {
        let line = output
            .lines()
            .find_map(|line| line.strip_prefix(LINE_PREFIX))
            .ok_or_else(|| anyhow::anyhow!("it reported no outcome"))?;
        Ok(serde_json::from_str(line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_is_found_among_other_output() -> anyhow::Result<()> {
        let outcome =
            Outcome { measured: 1.25, answer: Answer { record_count: 7, checksum: u64::MAX } };
        let output = format!("job submitted\n{}\njob finished\n", outcome.to_line()?);
        assert_eq!(Outcome::from_output(&output)?.answer, outcome.answer);
        assert!(Outcome::from_output("job submitted\n").is_err());
        Ok(())
    }
}
