//! The resource manager over HTTP, at free ports, with agents and app masters played by the tests.

mod applications;
mod artifacts;
mod coming_from_flink;
mod daemon;
mod guards;
mod leases;
mod proxies;
mod restarts;
