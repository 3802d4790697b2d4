//! The brain as its users see it.

mod stored_facts;
