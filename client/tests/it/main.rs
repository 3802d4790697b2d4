//! The executable `weir` from outside. Job executables are shell scripts here: they say what a job
//! would say by copying prepared messages to the descriptor that they are given.

mod actions;
mod bad_programs;
mod fixture;
mod info;
mod pages;
mod run;
mod signals;
