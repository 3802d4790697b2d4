//! Goals of comparisons, and whether they are met.

use std::fmt;

/// How a comparison's figures are read and printed.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// Time; less is better.
    Seconds,
    /// Millions of records a second, for this many records a run; more is better.
    MillionsPerSecond { record_count: u64 },
    /// A short time; less is better.
    Milliseconds,
    /// Memory in millions of bytes; less is better.
    Megabytes,
}

impl Unit {
    /// Turns what was measured, seconds or bytes, into the figure.
    pub fn figure(self, measured: f64) -> f64 {
        match self {
            Unit::Seconds => measured,
            Unit::MillionsPerSecond { record_count } => record_count as f64 / 1e6 / measured,
            Unit::Milliseconds => measured * 1e3,
            Unit::Megabytes => measured / 1e6,
        }
    }

    /// The unit as it is printed after a figure.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::MillionsPerSecond { .. } => "M/s",
            Unit::Milliseconds => "ms",
            Unit::Megabytes => "MB",
        }
    }

    /// The figure as text.
    pub fn show(self, figure: f64) -> String {
        match self {
            Unit::Seconds => format!("{figure:.3} {}", self.name()),
            Unit::MillionsPerSecond { .. } | Unit::Megabytes => {
                format!("{figure:.1} {}", self.name())
            }
            Unit::Milliseconds => format!("{figure:.0} {}", self.name()),
        }
    }
}

/// One bound. `ratio` is always ours divided by the peer's.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At most this ratio.
    RatioAtMost(f64),
    /// At least this ratio.
    RatioAtLeast(f64),
    /// At least this many millions of records a second.
    RateAtLeast(f64),
    /// At most this many milliseconds.
    MillisecondsAtMost(f64),
    /// At most this many millions of bytes.
    MegabytesAtMost(f64),
}

impl Goal {
    /// Whether `ours` reaches it; a ratio that was not measured does not.
    pub fn is_met(self, ours: f64, ratio: Option<f64>) -> bool {
        match self {
            Goal::RatioAtMost(bound) => ratio.is_some_and(|ratio| ratio <= bound),
            Goal::RatioAtLeast(bound) => ratio.is_some_and(|ratio| ratio >= bound),
            Goal::RateAtLeast(bound) => ours >= bound,
            Goal::MillisecondsAtMost(bound) | Goal::MegabytesAtMost(bound) => ours <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::RatioAtMost(bound) => write!(f, "<= {bound:.2}"),
            Goal::RatioAtLeast(bound) => write!(f, ">= {bound:.2}"),
            Goal::RateAtLeast(bound) => write!(f, ">= {bound:.0} M/s"),
            Goal::MillisecondsAtMost(bound) => write!(f, "<= {bound:.0} ms"),
            Goal::MegabytesAtMost(bound) => write!(f, "<= {bound:.0} MB"),
        }
    }
}

/// All goals of a comparison as text.
pub fn show_goals(goals: &[Goal]) -> String {
    let bounds: Vec<String> = goals.iter().map(Goal::to_string).collect();
    bounds.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_hold_at_their_bound_and_fail_beyond_it() {
        let cases = [
            (Goal::RatioAtMost(0.4), 1.0, Some(0.4), true),
            (Goal::RatioAtMost(0.4), 1.0, Some(0.401), false),
            (Goal::RatioAtMost(0.4), 1.0, None, false),
            (Goal::RatioAtLeast(1.0), 1.0, Some(1.0), true),
            (Goal::RatioAtLeast(1.0), 1.0, Some(0.99), false),
            (Goal::RateAtLeast(30.0), 30.0, None, true),
            (Goal::RateAtLeast(30.0), 29.9, None, false),
            (Goal::MillisecondsAtMost(300.0), 300.0, None, true),
            (Goal::MegabytesAtMost(40.0), 40.1, None, false),
        ];
        for (goal, ours, ratio, expected) in cases {
            assert_eq!(goal.is_met(ours, ratio), expected, "{goal} {ours} {ratio:?}");
        }
    }

    #[test]
    fn rate_is_records_over_time() {
        let unit = Unit::MillionsPerSecond { record_count: 50_000_000 };
        assert_eq!(unit.show(unit.figure(2.0)), "25.0 M/s");
    }
}
