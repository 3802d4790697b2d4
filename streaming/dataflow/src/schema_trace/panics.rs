//! Runs an author's code while a job is planned, so that its panic becomes an error of planning.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an author's code. A panic is returned as its message; the panic hook has printed the place.
///
/// What `body` borrows stays as the panic left it.
pub(super) fn catch_panic<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        // Another payload may panic when it is dropped.
        std::mem::forget(payload);
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    })
}
