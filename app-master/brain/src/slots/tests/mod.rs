//! Scripts of the slot pool: what goes in, and all that comes out.

mod losing;
mod script;
mod starting;
