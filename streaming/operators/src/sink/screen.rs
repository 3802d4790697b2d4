//! What a program draws below its output on a terminal, such as live progress.
//!
//! A drawing is redrawn in place, and output that is printed meanwhile would be drawn over. So
//! whoever prints goes through [`above`], which takes the drawing away first; the next
//! [`redraw`] puts it below what was printed.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

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
    // Whoever closed standard error does not want to see this.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints a line above the drawing on standard error.
pub fn note(line: &str) {
    let mut lines = drawn_lines();
    let text = format!("{}{line}\n", erasure(*lines));
    *lines = 0;
    // A closed standard error is no reason to fail.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints above the drawing.
pub fn above<R>(print: impl FnOnce() -> R) -> R {
    let mut lines = drawn_lines();
    if *lines > 0 && std::io::stdout().is_terminal() {
        let _ = std::io::stderr().write_all(erasure(*lines).as_bytes());
        *lines = 0;
    }
    print()
}
