//! weir-web-ui
