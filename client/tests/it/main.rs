//! The executable `weir` from outside. Job executables are shell scripts here: they say what a job
//! would say by copying prepared messages to the descriptor that they are given.

mod actions;
mod bad_programs;
mod cluster;
mod fake_cluster;
mod fixture;
mod info;
mod killed;
mod pages;
mod per_job;
mod remote;
mod run;
mod signals;
mod storage;
