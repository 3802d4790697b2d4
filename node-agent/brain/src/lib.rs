//! weir-node-agent-brain
