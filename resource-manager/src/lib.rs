//! weir-resource-manager
