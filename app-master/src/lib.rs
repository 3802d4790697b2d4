//! weir-app-master
