//! A drawing below what `weir` prints on a terminal, redrawn in place: live progress. A line that stays
//! takes the drawing away first; the next redraw puts it below.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lines of the drawing that stand on the terminal.
static DRAWN_LINES: Mutex<usize> = Mutex::new(0);

fn drawn_lines() -> MutexGuard<'static, usize> {
    DRAWN_LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Up to the first drawn line, and everything below away.
fn erasure(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A\x1b[J") }
}

/// Replaces the drawing on standard error.
pub fn redraw(drawing: &str) {
    let mut lines = drawn_lines();
    let text = erasure(*lines) + drawing;
    *lines = drawing.lines().count();
    // Standard error may be closed; then the line is dropped.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Does something that prints, with the drawing out of its way.
pub fn above<R>(print: impl FnOnce() -> R) -> R {
    let mut lines = drawn_lines();
    if *lines > 0 {
        let _ = io::stderr().write_all(erasure(*lines).as_bytes());
        *lines = 0;
    }
    print()
}
