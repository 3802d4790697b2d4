//! Scripts, by what they are about.

mod app_masters;
mod applications;
mod attempts;
mod nodes;
mod recovery;
mod script;
