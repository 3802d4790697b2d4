//! Calls on the way to a submitted job are repeated while the resource manager does not answer, so that a
//! restart of it fails no submission.
//!
//! The first question is not among them: where no cluster runs, the user learns it at once. Each of these
//! calls may reach the resource manager twice: an upload is named by its hash, an id that is not used costs
//! nothing, and a submission that arrives twice is one submission.

use crate::remote::Remote;
use std::thread;
use std::time::{Duration, Instant};
use weir_service::CallError;

/// For how long a call is repeated after its first failure.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Repeats a call that has no answer, or that a resource manager is not ready for.
pub fn until_answered<T>(
    remote: &Remote,
    call: impl FnMut() -> Result<T, CallError>,
) -> Result<T, CallError> {
    repeat(call, PATIENCE, |error| {
        let (address, seconds) = (remote.address(), PATIENCE.as_secs());
        weir_terminal::note(&format!(
            "the resource manager at {address} does not answer; trying again for {seconds} s: {error}"
        ));
    })
}

/// `note_failure` gets the first failure if the call is repeated.
fn repeat<T>(
    mut call: impl FnMut() -> Result<T, CallError>,
    patience: Duration,
    note_failure: impl Fn(&CallError),
) -> Result<T, CallError> {
    let mut deadline = None;
    loop {
        let error = match call() {
            Err(error) if error.is_passing() => error,
            answered => return answered,
        };
        let until = *deadline.get_or_insert_with(|| {
            if !patience.is_zero() {
                note_failure(&error);
            }
            Instant::now() + patience
        });
        if Instant::now() >= until {
            return Err(error);
        }
        thread::sleep(TRY_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn unreachable() -> CallError {
        CallError::Unreachable { address: "127.0.0.1:1".to_owned(), problem: "reset".to_owned() }
    }

    #[test]
    fn lost_answer_is_asked_for_again_and_a_refusal_is_not() {
        let patience = Duration::from_secs(60);
        let (tries, notes) = (Cell::new(0), Cell::new(0));
        let note = |_: &CallError| notes.set(notes.get() + 1);
        let third_time = || {
            tries.set(tries.get() + 1);
            if tries.get() == 3 { Ok(()) } else { Err(unreachable()) }
        };
        assert_eq!(repeat(third_time, patience, note), Ok(()));
        assert_eq!((tries.get(), notes.get()), (3, 1));
        let refusal = || CallError::Refused {
            status: 400,
            code: "WEIR-RM-0004".to_owned(),
            message: "too large".to_owned(),
        };
        assert_eq!(repeat::<()>(|| Err(refusal()), patience, note), Err(refusal()));
        assert_eq!(repeat::<()>(|| Err(unreachable()), Duration::ZERO, note), Err(unreachable()));
        assert_eq!(notes.get(), 1);
    }
}
