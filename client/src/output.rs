//! Writing to the standard streams. A reader that has gone away (`weir info ... | head -1`) is no
//! error: what it wanted, it has.

use crate::problem::Problem;
use std::io::{self, ErrorKind, Write};

/// Writes what was asked for to standard output.
pub fn print(text: &str) -> Result<(), Problem> {
    match write(&mut io::stdout().lock(), text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::system("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes a remark to standard error. Where that fails there is nobody left to tell.
pub fn note(text: &str) {
    let _ = write(&mut io::stderr().lock(), &format!("{text}\n"));
}

fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
