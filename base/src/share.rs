//! A fraction of a whole.

use std::{fmt, str::FromStr};

/// Steps in a [`Share`] of 1.
const WHOLE: u32 = 1000;

/// A fraction of a whole, more than 0 and at most 1, in steps of 0.001.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Share {
    thousandths: u32,
}

impl Share {
    /// The whole.
    pub const ALL: Self = Self { thousandths: WHOLE };
    /// One half.
    pub const HALF: Self = Self { thousandths: WHOLE / 2 };

    /// This fraction of an amount, rounded up.
    pub fn of(self, amount: u64) -> u64 {
        let scaled = u128::from(amount) * u128::from(self.thousandths);
        u64::try_from(scaled.div_ceil(u128::from(WHOLE))).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.thousandths) / f64::from(WHOLE))
    }
}

/// A text that is not a share.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseShareError {
    /// It is not a number.
    #[error("it is not a number")]
    NotANumber,
    /// It is 0, negative, or smaller than one step.
    #[error("it is too small")]
    TooSmall,
    /// It is above 1.
    #[error("it is too large")]
    TooLarge,
}

impl FromStr for Share {
    type Err = ParseShareError;

    fn from_str(text: &str) -> Result<Self, ParseShareError> {
        let number: f64 = text.trim().parse().map_err(|_| ParseShareError::NotANumber)?;
        if number.is_nan() {
            return Err(ParseShareError::NotANumber);
        }
        if number > 1.0 {
            return Err(ParseShareError::TooLarge);
        }
        let thousandths = (number * f64::from(WHOLE)).round();
        match thousandths >= 1.0 {
            // The check above ensures 1 to 1000.
            true => Ok(Self { thousandths: thousandths as u32 }),
            false => Err(ParseShareError::TooSmall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written_as_decimals() {
        for (text, written) in [("0.5", "0.5"), (" 1 ", "1"), ("0.10", "0.1"), ("0.001", "0.001")] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), written);
        }
        for (text, error) in [
            ("half", ParseShareError::NotANumber),
            ("NaN", ParseShareError::NotANumber),
            ("0", ParseShareError::TooSmall),
            ("-1", ParseShareError::TooSmall),
            ("0.0004", ParseShareError::TooSmall),
            ("1.5", ParseShareError::TooLarge),
        ] {
            assert_eq!(text.parse::<Share>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_share_of_an_amount_is_rounded_up() {
        for (share, amount, of) in [
            (Share::HALF, 8, 4),
            (Share::HALF, 1, 1),
            (Share::HALF, 0, 0),
            (Share::ALL, u64::MAX, u64::MAX),
        ] {
            assert_eq!(share.of(amount), of);
        }
        assert_eq!("0.1".parse::<Share>().unwrap().of(8), 1);
    }
}
