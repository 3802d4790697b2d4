//! Turns a panic of user code into words: its message and where it happened.
//!
//! The process-wide panic hook is wrapped once. On a task thread it writes the place down instead
//! of printing, since the panic is caught and reported; on every other thread it does what it did.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic,
    sync::Once,
};

thread_local! {
    static ON_TASK_THREAD: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Marks this thread as one whose panics are caught and reported.
pub fn mark_task_thread() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if ON_TASK_THREAD.get() {
                let place = info.location().map(ToString::to_string);
                PLACE.with(|cell| *cell.borrow_mut() = place);
            } else {
                previous(info);
            }
        }));
    });
    ON_TASK_THREAD.set(true);
}

/// The words of a caught panic.
pub fn describe(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    match PLACE.with(|cell| cell.borrow_mut().take()) {
        Some(place) => format!("panicked at {place}: {text}"),
        None => format!("panicked: {text}"),
    }
}
