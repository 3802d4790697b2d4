//! Progress of a running job by operator, and how a local program and `weir` both print it.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};

/// One operator of a running job, summed over its subtasks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct OperatorProgress {
    /// Display name.
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Records received since the job was submitted.
    pub records_in: u64,
    /// Records emitted since then.
    pub records_out: u64,
    /// Records received per second, or emitted per second by a source.
    pub rate_per_s: f64,
    /// Part of the time spent waiting for room downstream, 0 to 1; that of the worst subtask.
    pub backpressure_ratio: f64,
    /// The same in a word.
    pub backpressure_level: BackpressureLevel,
}

/// Flink's three levels of backpressure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum BackpressureLevel {
    /// At most a tenth of the time.
    #[default]
    Ok,
    /// At most half of the time.
    Low,
    /// More than half of the time.
    High,
}

impl BackpressureLevel {
    /// The level of a ratio, by Flink's thresholds of 0.10 and 0.50.
    pub fn of_ratio(ratio: f64) -> Self {
        match ratio {
            ratio if ratio > 0.5 => Self::High,
            ratio if ratio > 0.1 => Self::Low,
            _ => Self::Ok,
        }
    }
}

impl fmt::Display for BackpressureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::High => "high",
        })
    }
}

/// A table with a head, for a terminal.
pub fn table(rows: &[OperatorProgress]) -> String {
    let mut text = format!(
        "{:<44} {:>4} {:>14} {:>14} {:>12}  BACKPRESSURE\n",
        "OPERATOR", "P", "RECORDS IN", "RECORDS OUT", "RATE/S"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:<44} {:>4} {:>14} {:>14} {:>12}  {:<4} {:.2}",
            shortened(&row.name, 44),
            row.parallelism,
            grouped(row.records_in),
            grouped(row.records_out),
            grouped(row.rate_per_s as u64),
            level_name(row.backpressure_level),
            row.backpressure_ratio
        );
    }
    text
}

/// One line per operator.
pub fn lines(rows: &[OperatorProgress]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "progress: {} ({}): in {}, out {}, {}/s, backpressure {} ({:.2})",
            row.name,
            row.parallelism,
            row.records_in,
            row.records_out,
            row.rate_per_s as u64,
            level_name(row.backpressure_level),
            row.backpressure_ratio
        );
    }
    text
}

fn level_name(level: BackpressureLevel) -> String {
    level.to_string().to_uppercase()
}

/// A name cut to a width, with an ellipsis.
fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> OperatorProgress {
        OperatorProgress {
            name: "Count".to_owned(),
            parallelism: 2,
            records_in: 1_234_567,
            records_out: 0,
            rate_per_s: 1000.9,
            backpressure_ratio: 0.25,
            backpressure_level: BackpressureLevel::Low,
        }
    }

    #[test]
    fn table_and_lines_have_one_row_per_operator() {
        assert_eq!(
            lines(&[row()]),
            "progress: Count (2): in 1234567, out 0, 1000/s, backpressure LOW (0.25)\n"
        );
        let text = table(&[row()]);
        let line = text.lines().nth(1).expect("a row");
        assert!(line.starts_with("Count  ") && line.ends_with("  LOW  0.25"), "{line}");
        assert!(line.contains(" 1,234,567 "), "{line}");
    }

    #[test]
    fn numbers_are_grouped_and_names_cut() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }

    #[test]
    fn levels_have_flinks_thresholds() {
        for (ratio, level) in
            [(0.0, "ok"), (0.1, "ok"), (0.11, "low"), (0.5, "low"), (0.51, "high")]
        {
            assert_eq!(BackpressureLevel::of_ratio(ratio).to_string(), level);
        }
    }
}
