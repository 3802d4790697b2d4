//! The resource manager over HTTP, at free ports, with agents and app masters played by the tests.

mod applications;
mod artifacts;
mod daemon;
mod guards;
mod leases;
mod proxies;
mod restarts;
