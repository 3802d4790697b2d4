//! What a program shows below its output on a terminal, such as live progress.
//!
//! A drawing is redrawn in place on standard error, and output that is printed meanwhile would be drawn
//! over. So all output goes through [`note`] or [`above`]. Each erases the drawing first, and the next
//! [`redraw`] puts it below what was printed.
//!
//! Writing to standard error never fails: if it is closed, the text is dropped.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Lines of the drawing that are on the terminal.
static DRAWN_LINES: Mutex<usize> = Mutex::new(0);

fn drawn_lines() -> MutexGuard<'static, usize> {
    DRAWN_LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The control sequence that erases this number of lines above the cursor.
fn erasure(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A\x1b[J") }
}

fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Replaces the drawing on standard error.
pub fn redraw(drawing: &str) {
    let mut lines = drawn_lines();
    let text = erasure(*lines) + drawing;
    *lines = drawing.lines().count();
    write(&text);
}

/// Prints a text on lines of its own above the drawing, on standard error.
pub fn note(text: &str) {
    let mut lines = drawn_lines();
    let text = format!("{}{text}\n", erasure(*lines));
    *lines = 0;
    write(&text);
}

/// Prints to standard output, above the drawing if both are on the terminal.
pub fn above<R>(print: impl FnOnce() -> R) -> R {
    let mut lines = drawn_lines();
    if *lines > 0 && std::io::stdout().is_terminal() {
        write(&erasure(*lines));
        *lines = 0;
    }
    print()
}
