//! Agents with real processes, and a resource manager that the tests simulate over real HTTP.

mod artifacts;
mod bad_input;
mod containers;
mod full_disk;
mod logs;
mod orders;
mod resource_manager;
mod restart;
mod support;
