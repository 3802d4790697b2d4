//! weir-task-manager
