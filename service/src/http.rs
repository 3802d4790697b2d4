//! HTTP: the server with what every daemon checks, the client, and msgpack bodies.

pub mod client;
pub mod guard;
pub mod msgpack;
pub mod server;
