//! Turns a panic of user code into an error: its message and where it happened.
//!
//! Whatever can run an author's code is run by [`catch`]: functions, but also destructors and the
//! text of an error. So a panic always ends in an error that is reported.
//!
//! The process-wide panic hook is wrapped once. On a task thread it writes the place down instead
//! of printing, since the panic is caught and reported; on every other thread it does what it did.
//! A destructor that panics while another panic unwinds cannot be caught: the process aborts. The
//! hook cannot tell this from a panic after one that the author has caught, so from the second
//! panic on it prints everything.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    io::{self, Write},
    mem,
    panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::Once,
    thread,
};
use weir_base::FailureOrigin;
use weir_dataflow::{Error, Result};

thread_local! {
    static ON_TASK_THREAD: Cell<bool> = const { Cell::new(false) };
    /// The last panic of this thread, until it is caught.
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// A panic that is not caught yet.
struct Last {
    place: String,
    text: String,
    is_printed: bool,
}

/// Marks this thread as one whose panics are caught and reported.
pub fn mark_task_thread() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_kept = ON_TASK_THREAD.try_with(Cell::get).unwrap_or(false) && keep(info);
            if !is_kept {
                previous(info);
            }
        }));
    });
    ON_TASK_THREAD.set(true);
}

/// Keeps what is known of a panic; false if it is to be printed as well.
fn keep(info: &PanicHookInfo<'_>) -> bool {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let text = text_of(info.payload());
    let kept = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        let mut is_first = true;
        if let Some(earlier) = last.take() {
            is_first = false;
            if !earlier.is_printed {
                say(&format!("panicked at {}: {}", earlier.place, earlier.text));
            }
        }
        *last = Some(Last { place, text, is_printed: !is_first });
        is_first
    });
    kept.unwrap_or(false)
}

/// Runs what may run an author's code.
///
/// # Errors
/// What the body returns, an author's error already as text; `WEIR-TASK-0001` if it panics.
pub fn catch<R>(body: impl FnOnce() -> Result<R>) -> Result<R> {
    let panicked =
        |message| Error::Coded { code: "WEIR-TASK-0001", message, origin: FailureOrigin::User };
    catch_as(panicked, body)
}

/// Runs code of ours, whose panic is a defect of ours: `WEIR-TASK-0005`.
///
/// # Errors
/// What the body returns, or that error.
pub fn catch_defect<R>(body: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_as(Error::internal, body)
}

fn catch_as<R>(
    panicked: impl FnOnce(String) -> Error,
    body: impl FnOnce() -> Result<R>,
) -> Result<R> {
    match catch_unwind(AssertUnwindSafe(|| body().map_err(in_words))) {
        Ok(result) => result,
        Err(payload) => Err(panicked(describe(payload))),
    }
}

/// Drops a value; see [`catch`].
pub fn catch_drop<T>(value: T) -> Result<()> {
    catch(|| {
        drop(value);
        Ok(())
    })
}

/// Writes a line to standard error; it is dropped if standard error is closed.
pub(crate) fn say(line: &str) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let _ = writeln!(io::stderr(), "thread '{name}': {line}");
}

/// An author's error without the value behind it, whose text and destructor are the author's code.
fn in_words(error: Error) -> Error {
    match error {
        Error::User(_) => {
            Error::Coded { code: error.code(), message: error.to_string(), origin: error.origin() }
        }
        error => error,
    }
}

/// The words of a caught panic.
fn describe(payload: Box<dyn Any + Send>) -> String {
    let text = text_of(&*payload);
    let place = LAST.with(|last| last.borrow_mut().take()).map(|last| last.place);
    // The value of a panic may panic when it is dropped; the value of that one is leaked.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
        LAST.with(|last| last.borrow_mut().take());
    }
    match place {
        Some(place) => format!("panicked at {place}: {text}"),
        None => format!("panicked: {text}"),
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
