//! Whole jobs through the public API: what an author writes, run to its end and checked against a
//! count made without the engine.

mod support;

mod cancel;
mod exactly_once;
mod failures;
mod graphs;
mod streams;
mod word_count;
