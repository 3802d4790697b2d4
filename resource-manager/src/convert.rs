//! From the messages of the protocol to those of the brain and back: the same structs, field by field,
//! since a brain knows no protocol. What only a shell can add is added here: tokens of leases, and the
//! variables of app masters.

mod app_master;
mod node;

pub use app_master::{
    allocate, allocated, app_master_registered, final_status, finish_app_master,
    register_app_master,
};
pub use node::{AppMasterVariables, heartbeat, node_registered, orders, register_node};
