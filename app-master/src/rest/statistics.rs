//! How values are spread: percentiles as Flink computes them, and skew.

use weir_protocol::rest::flink::{checkpoints::Stats, vertex::Statistics};

/// Values in order of size.
pub(super) struct Sorted(Vec<u64>);

impl Sorted {
    pub fn new(values: impl IntoIterator<Item = u64>) -> Self {
        let mut values: Vec<u64> = values.into_iter().collect();
        values.sort_unstable();
        Self(values)
    }

    /// The value below which this part lies, interpolated: position `p * (n + 1)`, counted from 1,
    /// as the library that Flink uses has it. 0 without values.
    pub fn percentile(&self, part: f64) -> f64 {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return 0.0 };
        let position = part * (self.0.len() as f64 + 1.0);
        if position < 1.0 {
            return *first as f64;
        }
        if position >= self.0.len() as f64 {
            return *last as f64;
        }
        let below = position.floor();
        let index = below as usize - 1;
        let (lower, upper) = (self.0[index] as f64, self.0[index + 1] as f64);
        lower + (position - below) * (upper - lower)
    }

    fn min(&self) -> i64 {
        self.0.first().map_or(0, |value| signed(*value))
    }

    fn max(&self) -> i64 {
        self.0.last().map_or(0, |value| signed(*value))
    }

    fn sum(&self) -> i64 {
        signed(self.0.iter().fold(0, |sum: u64, value| sum.saturating_add(*value)))
    }

    fn mean(&self) -> i64 {
        self.sum().checked_div(self.0.len() as i64).unwrap_or(0)
    }

    /// As a vertex shows its subtasks.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            min: self.min(),
            max: self.max(),
            avg: self.mean(),
            sum: self.sum(),
            median: self.percentile(0.5),
            p25: self.percentile(0.25),
            p75: self.percentile(0.75),
            p95: self.percentile(0.95),
        }
    }

    /// As a summary shows checkpoints.
    pub fn stats(&self) -> Stats {
        Stats {
            min: self.min(),
            max: self.max(),
            avg: self.mean(),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p95: self.percentile(0.95),
            p99: self.percentile(0.99),
            p999: self.percentile(0.999),
        }
    }
}

/// Mean absolute deviation by mean, in percent, at most 100; 0 if the mean is 0.
pub(super) fn skew(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.is_empty() || mean == 0.0 {
        return 0.0;
    }
    let deviation = values.iter().map(|value| (value - mean).abs()).sum::<f64>() / count;
    (deviation / mean * 100.0).clamp(0.0, 100.0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_interpolated() {
        for (values, part, expected) in [
            (&[][..], 0.5, 0.0),
            (&[7], 0.5, 7.0),
            (&[7], 0.99, 7.0),
            (&[1, 3], 0.5, 2.0),
            (&[4, 1, 3, 2], 0.25, 1.25),
            (&[4, 1, 3, 2], 0.5, 2.5),
            (&[4, 1, 3, 2], 0.75, 3.75),
            (&[4, 1, 3, 2], 0.95, 4.0),
        ] {
            let found = Sorted::new(values.iter().copied()).percentile(part);
            assert_eq!(found, expected, "{values:?} at {part}");
        }
    }

    #[test]
    fn statistics_of_nothing_are_zeros() {
        assert_eq!(Sorted::new([]).statistics(), Statistics::default());
        assert_eq!(Sorted::new([]).stats(), Stats::default());
        let some = Sorted::new([10, 20, 60]).statistics();
        assert_eq!((some.min, some.max, some.avg, some.sum), (10, 60, 30, 90));
    }

    #[test]
    fn skew_is_the_deviation_from_the_mean_in_percent() {
        for (values, expected) in [
            (&[][..], 0.0),
            (&[0.0, 0.0], 0.0),
            (&[5.0, 5.0], 0.0),
            (&[10.0, 30.0], 50.0),
            (&[0.0, 0.0, 0.0, 400.0], 100.0),
        ] {
            assert_eq!(skew(values), expected, "{values:?}");
        }
    }
}
