//! The resource manager over HTTP, at free ports, with simulated agents and app masters.

mod applications;
mod artifacts;
mod coming_from_flink;
mod daemon;
mod guards;
mod leases;
mod proxies;
mod restarts;
