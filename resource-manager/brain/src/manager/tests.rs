//! Script tests of the resource manager, by subject.

mod admission;
mod app_masters;
mod applications;
mod attempts;
mod nodes;
mod recovery;
mod script;
