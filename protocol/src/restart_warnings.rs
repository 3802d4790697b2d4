//! The warning that a restart of a job prints, the same from a local program and from `weir`: number,
//! delay and cause of the restart, in one line.
//!
//! Only text and counts. The caller waits for [`RestartWarnings::pause`] between two lines, so that a job
//! that restarts for ever writes a bounded amount; restarts in that time are counted in the next line.

use crate::rest::flink::result::FailureReport;
use std::fmt::Write as _;
use std::time::Duration;

/// Lines that are printed with the short pause between them.
const LINES_AT_FIRST: u32 = 10;
const SHORT_PAUSE: Duration = Duration::from_secs(1);
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The warnings of one job.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RestartWarnings {
    /// The number of the last restart that was reported.
    told_restarts: u32,
    lines: u32,
}

impl RestartWarnings {
    /// The line to print when a job has restarted `restarts` times in all; `None` when all of them were
    /// told. `cause` and `delay_ms` are those of the last restart.
    pub fn next(
        &mut self,
        restarts: u32,
        delay_ms: u64,
        cause: Option<&FailureReport>,
    ) -> Option<String> {
        // A new app master counts from 0 again.
        let told = std::mem::replace(&mut self.told_restarts, restarts).min(restarts);
        if restarts == told {
            return None;
        }
        self.lines = self.lines.saturating_add(1);
        let mut line = match restarts - told {
            1 => format!("warning: job restarts (restart {restarts}"),
            _ => format!("warning: job restarts (restarts {} to {restarts}", told + 1),
        };
        let _ = write!(line, ", delay {})", delay_text(delay_ms));
        if let Some(cause) = cause {
            let _ = write!(line, ": {}", cause_text(cause));
        }
        Some(line)
    }

    /// How long to wait after a line before the next one.
    pub fn pause(&self) -> Duration {
        if self.lines <= LINES_AT_FIRST { SHORT_PAUSE } else { LONG_PAUSE }
    }
}

fn delay_text(delay_ms: u64) -> String {
    match delay_ms {
        0..1_000 => format!("{delay_ms} ms"),
        _ if delay_ms.is_multiple_of(1_000) => format!("{} s", delay_ms / 1_000),
        _ => format!("{:.1} s", delay_ms as f64 / 1_000.0),
    }
}

fn cause_text(cause: &FailureReport) -> String {
    let FailureReport { code, message, operator, task, host, container, .. } = cause;
    let places = [
        ("operator", operator.as_ref().map(|name| format!("{name:?}"))),
        ("subtask", task.as_ref().map(|name| format!("{name:?}"))),
        ("task host", host.clone()),
        ("container", container.clone()),
    ];
    let places: Vec<_> = places
        .into_iter()
        .filter_map(|(kind, name)| name.map(|name| format!("{kind} {name}")))
        .collect();
    let message: Vec<_> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut text = message.join("; ");
    if !places.is_empty() {
        text = format!("{}: {text}", places.join(", "));
    }
    if !code.is_empty() {
        let _ = write!(text, " ({code})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> FailureReport {
        FailureReport {
            code: "WEIR-TASK-0001".to_owned(),
            message: "boom\n  at line 3\n".to_owned(),
            operator: Some("Map".to_owned()),
            task: Some("Map -> Sink (1/2)".to_owned()),
            host: Some("127.0.0.1:7".to_owned()),
            container: Some("container_1_0001_01_000002".to_owned()),
            log_excerpt: Some("much".to_owned()),
            consequence_count: 0,
        }
    }

    #[test]
    fn line_names_number_delay_cause_and_place() {
        let mut warnings = RestartWarnings::default();
        assert_eq!(warnings.next(0, 0, None), None);
        assert_eq!(
            warnings.next(1, 1_000, Some(&failure())).as_deref(),
            Some(
                "warning: job restarts (restart 1, delay 1 s): operator \"Map\", subtask \"Map -> \
                 Sink (1/2)\", task host 127.0.0.1:7, container container_1_0001_01_000002: boom; at \
                 line 3 (WEIR-TASK-0001)"
            )
        );
        assert_eq!(warnings.next(1, 1_000, Some(&failure())), None, "it was told");
        let lost = FailureReport { message: "task host ended".to_owned(), ..Default::default() };
        let line = warnings.next(4, 1_500, Some(&lost));
        let expect = "warning: job restarts (restarts 2 to 4, delay 1.5 s): task host ended";
        assert_eq!(line.as_deref(), Some(expect));
        let line = warnings.next(5, 5, None);
        assert_eq!(line.as_deref(), Some("warning: job restarts (restart 5, delay 5 ms)"));
    }

    #[test]
    fn counters_of_a_new_app_master_are_followed() {
        let mut warnings = RestartWarnings::default();
        assert!(warnings.next(7, 0, None).is_some());
        assert_eq!(warnings.next(0, 0, None), None);
        let line = warnings.next(1, 0, None);
        assert_eq!(line.as_deref(), Some("warning: job restarts (restart 1, delay 0 ms)"));
    }

    #[test]
    fn endless_restarts_are_printed_less_often() {
        let mut warnings = RestartWarnings::default();
        for restart in 1..=LINES_AT_FIRST {
            assert!(warnings.next(restart, 0, None).is_some());
            assert_eq!(warnings.pause(), SHORT_PAUSE);
        }
        assert!(warnings.next(20, 0, None).is_some());
        assert_eq!(warnings.pause(), LONG_PAUSE);
    }
}
