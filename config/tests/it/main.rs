//! The crate as its users see it: layers, errors, and the pages that are written from the tables.

mod layers;
mod pages;
