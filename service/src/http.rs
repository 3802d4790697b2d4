//! HTTP: the server with the checks common to all daemons, the client, and msgpack bodies.

pub mod body;
pub mod client;
pub(crate) mod connections;
pub mod guard;
pub mod msgpack;
pub mod server;
