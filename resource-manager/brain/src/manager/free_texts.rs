//! Limits the size of texts from outside, such as diagnostics. These texts stay in memory, are stored, and are
//! shown in lists.

use crate::messages::Input;
use weir_protocol::cluster::ContainerReport;

/// The largest size of a text.
const MAX_BYTES: usize = 64 * 1024;
/// Replaces the omitted middle of a text.
const OMISSION: &str = "\n[...]\n";

/// Shortens every text for users in an input.
pub(super) fn shorten(input: &mut Input) {
    match input {
        Input::Kill { diagnostics, .. } => shorten_text(diagnostics),
        Input::FinishAppMaster { finish, .. } => shorten_text(&mut finish.diagnostics),
        Input::RegisterNode { register, .. } => shorten_reports(&mut register.containers),
        Input::NodeHeartbeat { heartbeat, .. } => {
            heartbeat.unhealthy.iter_mut().for_each(shorten_text);
            shorten_reports(&mut heartbeat.containers);
        }
        _ => {}
    }
}

fn shorten_reports(reports: &mut [ContainerReport]) {
    reports.iter_mut().for_each(|report| shorten_text(&mut report.diagnostics));
}

/// Omits the middle of a text: its beginning names the first error, its end the final result.
fn shorten_text(text: &mut String) {
    if text.len() <= MAX_BYTES {
        return;
    }
    let half = (MAX_BYTES - OMISSION.len()) / 2;
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=half).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - half..text.len()).find(is_boundary).unwrap_or(text.len());
    text.replace_range(head..tail, OMISSION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let mut text = "head".to_owned() + &"ä".repeat(MAX_BYTES) + "tail";
        shorten_text(&mut text);
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 16, "{}", text.len());
        assert!(text.starts_with("headä") && text.ends_with("ätail") && text.contains(OMISSION));
    }

    #[test]
    fn a_short_text_is_not_changed() {
        let long = "x".repeat(MAX_BYTES);
        let mut text = long.clone();
        shorten_text(&mut text);
        assert_eq!(text, long);
    }
}
