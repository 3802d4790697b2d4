//! The resource manager's store: facts by key, and the count of its starts.

use weir_resource_manager_brain::Fact;

/// The durable facts.
#[derive(Debug, Default)]
pub(crate) struct Store {
    facts: Vec<Fact>,
    starts: u32,
}

impl Store {
    /// Makes facts durable.
    pub(crate) fn write(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            if let Some(application) = fact.forgets() {
                let prefix = format!("{application}/");
                self.facts.retain(|other| !other.key().starts_with(&prefix));
            }
            let key = fact.key();
            self.facts.retain(|other| other.key() != key);
            self.facts.push(fact);
        }
    }

    /// Counts a start and reads all that one needs.
    pub(crate) fn open(&mut self, counts: bool) -> (u32, Vec<Fact>) {
        let epoch = self.starts;
        self.starts += u32::from(counts);
        let needed = self.facts.iter().filter(|fact| !matches!(fact, Fact::Archived { .. }));
        (epoch, needed.cloned().collect())
    }
}
