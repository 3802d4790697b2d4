//! weir-resource-manager-brain
