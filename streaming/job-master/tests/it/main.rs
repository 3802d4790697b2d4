//! The shell driven through its public API, with a gateway that only pretends to run tasks.

#![allow(clippy::unwrap_used)] // A helper of a test panics as the test does.

mod endings;
mod fake;
mod life;
mod recovery;
