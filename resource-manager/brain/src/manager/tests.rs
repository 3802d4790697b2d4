//! Scripts, by what they are about.

mod admission;
mod app_masters;
mod applications;
mod attempts;
mod nodes;
mod recovery;
mod script;
