//! Durations and sizes in human-readable form: `10 s`, `500 ms`, `64mb`, `1 gb`.
//!
//! The spellings are Flink's. A printed value parses back to the same value.

use std::time::Duration;

/// A text that is not a duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseUnitError {
    /// The number is missing or does not fit 64 bits.
    #[error("{text:?} does not start with a whole number (write for example {example:?})")]
    Number {
        /// The given text.
        text: String,
        /// A valid example.
        example: &'static str,
    },
    /// The unit is unknown.
    #[error("{text:?} has the unknown unit {unit:?}; known are {known}")]
    Unit {
        /// The given text.
        text: String,
        /// The part read as unit.
        unit: String,
        /// The valid units.
        known: &'static str,
    },
    /// The value overflows 64 bits.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Unit names, each with its factor; the first spelling of a factor is the one printed.
type Units = &'static [(&'static [&'static str], u64)];

const NANOS: Units = &[
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1),
    (&["us", "µs", "micro", "micros", "microsecond", "microseconds"], 1_000),
    (&["ms", "milli", "millis", "millisecond", "milliseconds"], 1_000_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000_000),
    (&["min", "m", "minute", "minutes"], 60_000_000_000),
    (&["h", "hour", "hours"], 3_600_000_000_000),
    (&["d", "day", "days"], 86_400_000_000_000),
];

const BYTES: Units = &[
    (&["b", "bytes"], 1),
    (&["kb", "k", "kibibytes", "kib"], 1 << 10),
    (&["mb", "m", "mebibytes", "mib"], 1 << 20),
    (&["gb", "g", "gibibytes", "gib"], 1 << 30),
    (&["tb", "t", "tebibytes", "tib"], 1 << 40),
];

fn parse(
    text: &str,
    units: Units,
    default_factor: u64,
    known: &'static str,
    example: &'static str,
) -> Result<u64, ParseUnitError> {
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| ParseUnitError::Number { text: text.to_owned(), example })?;
    let unit = unit.trim().to_lowercase();
    let factor = if unit.is_empty() {
        default_factor
    } else {
        units
            .iter()
            .find(|(names, _)| names.contains(&unit.as_str()))
            .map(|(_, factor)| *factor)
            .ok_or_else(|| ParseUnitError::Unit {
                text: text.to_owned(),
                unit: unit.clone(),
                known,
            })?
    };
    number.checked_mul(factor).ok_or_else(|| ParseUnitError::TooLarge(text.to_owned()))
}

fn format(value: u64, units: Units) -> String {
    let (names, factor) = units
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor))
        .unwrap_or(&units[0]);
    format!("{} {}", value / factor, names[0])
}

/// Reads a duration; a bare number is milliseconds, as in Flink.
pub fn parse_duration(text: &str) -> Result<Duration, ParseUnitError> {
    parse(text, NANOS, 1_000_000, "ns, us, ms, s, min, h, d", "10 s").map(Duration::from_nanos)
}

/// Reads a size in bytes; a bare number is bytes, and units are powers of 1024, as in Flink.
pub fn parse_size_bytes(text: &str) -> Result<u64, ParseUnitError> {
    parse(text, BYTES, 1, "b, kb, mb, gb, tb", "64 mb")
}

/// Writes a duration in the largest unit that divides it.
pub fn format_duration(duration: Duration) -> String {
    if duration.is_zero() {
        return "0 ms".to_owned();
    }
    format(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), NANOS)
}

/// Writes a size in the largest unit that divides it.
pub fn format_size(size_bytes: u64) -> String {
    format(size_bytes, BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_as_flink_writes_them() {
        for (text, millis) in [("10 s", 10_000), ("500ms", 500), ("3 min", 180_000), ("250", 250)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(matches!(parse_duration("ten s"), Err(ParseUnitError::Number { .. })));
        assert!(matches!(parse_duration("10 fortnights"), Err(ParseUnitError::Unit { .. })));
        assert!(matches!(parse_duration("99999999999999 d"), Err(ParseUnitError::TooLarge(_))));
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("64mb", 64 << 20), ("1 gb", 1 << 30), ("32 kb", 32 << 10), ("7", 7)]
        {
            assert_eq!(parse_size_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn printing_parses_back() {
        for nanos in [0, 1, 1_500, 250_000_000, 60_000_000_000] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        for bytes in [0, 7, 1 << 10, 5 << 30] {
            assert_eq!(parse_size_bytes(&format_size(bytes)), Ok(bytes));
        }
    }
}
