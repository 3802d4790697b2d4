//! weir-node-agent
