//! Tests of the brain's public interface.

mod stored_facts;
