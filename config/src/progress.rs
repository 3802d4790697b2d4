//! How the progress of a job is shown, as `weir.progress` and `weir.progress.interval` say.

use crate::{Config, keys};
use std::time::Duration;

/// Time between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(250);

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgressStyle {
    /// A table that is redrawn in place.
    Terminal,
    /// Plain lines.
    Lines,
}

impl ProgressStyle {
    /// The style that is configured for output that is a terminal or not; `None` when nothing is shown.
    pub fn of(config: &Config, is_terminal: bool) -> Option<Self> {
        match config.get(&keys::PROGRESS) {
            keys::Progress::Never => None,
            keys::Progress::Auto if is_terminal => Some(Self::Terminal),
            keys::Progress::Always | keys::Progress::Auto => Some(Self::Lines),
        }
    }

    /// Time between two tables or groups of lines.
    pub fn interval(self, config: &Config) -> Duration {
        match self {
            Self::Terminal => REDRAW,
            Self::Lines => config.get(&keys::PROGRESS_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigBuilder;

    #[test]
    fn style_follows_the_key_and_the_terminal() {
        for (value, on_terminal, elsewhere) in [
            ("AUTO", Some(ProgressStyle::Terminal), Some(ProgressStyle::Lines)),
            ("ALWAYS", Some(ProgressStyle::Lines), Some(ProgressStyle::Lines)),
            ("NEVER", None, None),
        ] {
            let builder = ConfigBuilder::new().dynamic(format!("weir.progress={value}"));
            let (config, _) = builder.build().expect("it is valid");
            assert_eq!(ProgressStyle::of(&config, true), on_terminal, "{value}");
            assert_eq!(ProgressStyle::of(&config, false), elsewhere, "{value}");
        }
    }
}
