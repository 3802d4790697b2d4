//! weir-service
