//! [`KeyedTable`]: the concrete table behind keyed state.
//!
//! Entries lie densely in one vector; a small open-addressing index of 8-byte slots (hash tag and
//! position) finds them. A batch is probed with the hashes it carries, so a record costs one index
//! line and one entry.
//!
//! **Snapshots without a stop.** Marking bumps the table's epoch. From then on an entry of an
//! older epoch is encoded either when the cursor of [`SnapshotTable::encode_slice`] reaches it,
//! or just before its first change, whichever comes first; entries of the new epoch do not belong
//! to the snapshot. No lock, no copy of the table, no pause that grows with it.

use crate::{
    codec,
    error::{Error, Result},
    key_hash::hash_key,
    record::{Key, Record},
    schema_trace::check_value,
};
use std::mem;
use weir_base::invariant;
use weir_graph::{KeyGroupRange, key_group_of};

/// One key with its value.
struct Entry<K, V> {
    key: K,
    value: V,
    /// High half of the key's hash, from which its key group follows.
    hash_high: u32,
    /// The table's epoch when the value was last changed.
    epoch: u32,
}

/// A slot of the index: low half of the hash above, position + 1 below; 0 is free.
type Slot = u64;

const MIN_SLOTS: usize = 16;
/// From so many slots on a table only doubles.
const LARGE_SLOTS: usize = 64 * 1024;

/// Below so many keys a table is not worth warming.
const WARM_FROM_KEYS: usize = 2048;
/// How many records ahead index lines are fetched, and entries once their slot is there.
const SLOTS_AHEAD: usize = 32;
const ENTRIES_AHEAD: usize = 16;
/// Slots looked at to find an entry worth fetching.
const PLACES_TRIED: usize = 3;

/// Asks for a cache line without waiting for it.
#[inline]
fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and faults nowhere, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

fn slot_of(hash: u64, position: usize) -> Slot {
    (hash << 32) | (position as u64 + 1)
}

/// A running snapshot.
struct Snapshot {
    /// Entries below are encoded or changed since the mark.
    cursor: usize,
    /// Number of entries when it was marked.
    end: usize,
    range: KeyGroupRange,
    max_parallelism: u32,
    /// Encoded entries, one buffer per key group of the range.
    groups: Vec<Vec<u8>>,
    /// Whether its first entry was read back.
    is_checked: bool,
    /// The first entry that could not be encoded.
    error: Option<Error>,
}

/// A hash table of serde types with snapshots by epoch. See the module's documentation.
pub struct KeyedTable<K, V> {
    entries: Vec<Entry<K, V>>,
    slots: Vec<Slot>,
    epoch: u32,
    snapshot: Option<Snapshot>,
}

impl<K: Key, V: Record> Default for KeyedTable<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key, V: Record> KeyedTable<K, V> {
    /// An empty table.
    pub fn new() -> Self {
        Self { entries: Vec::new(), slots: vec![0; MIN_SLOTS], epoch: 1, snapshot: None }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key; `hash` is the key's [`hash_key`].
    pub fn get(&self, hash: u64, key: &K) -> Option<&V> {
        self.find(hash, key).map(|(_, position)| &self.entries[position].value)
    }

    /// Changes the value of a key, which is made by `insert` if it is not there yet.
    #[inline]
    pub fn upsert<R>(
        &mut self,
        hash: u64,
        key: K,
        insert: impl FnOnce() -> V,
        update: impl FnOnce(&mut V) -> R,
    ) -> R {
        let position = match self.find(hash, &key) {
            Some((_, position)) => {
                self.touch(position);
                position
            }
            None => self.insert(hash, key, insert()),
        };
        update(&mut self.entries[position].value)
    }

    /// Brings what the records after `hashes[at]` will need into the cache: call it once per record
    /// of a batch, before the record's own probe. Small tables are in the cache anyway.
    #[inline]
    pub fn warm(&self, hashes: &[u64], at: usize) {
        if self.entries.len() < WARM_FROM_KEYS {
            return;
        }
        let mask = self.slots.len() - 1;
        if let Some(hash) = hashes.get(at + SLOTS_AHEAD) {
            prefetch(&raw const self.slots[*hash as u32 as usize & mask]);
        }
        if let Some(hash) = hashes.get(at + ENTRIES_AHEAD) {
            let tag = *hash as u32;
            let mut at = tag as usize & mask;
            // Most keys sit at their home or right behind it.
            for _ in 0..PLACES_TRIED {
                let slot = self.slots[at];
                if (slot >> 32) as u32 == tag {
                    if let Some(entry) = self.entries.get((slot as u32 as usize).wrapping_sub(1)) {
                        prefetch(&raw const *entry);
                        prefetch(&raw const entry.epoch);
                    }
                    return;
                }
                at = (at + 1) & mask;
            }
        }
    }

    /// Position of a key, good until the table is changed.
    #[inline]
    pub fn probe(&self, hash: u64, key: &K) -> Option<usize> {
        self.find(hash, key).map(|(_, position)| position)
    }

    /// The value at a [probed](KeyedTable::probe) position, to be changed.
    #[inline]
    pub fn value_mut(&mut self, position: usize) -> &mut V {
        self.touch(position);
        &mut self.entries[position].value
    }

    /// Adds a key that a [probe](KeyedTable::probe) has not found.
    #[inline]
    pub fn insert_new(&mut self, hash: u64, key: K, value: V) -> &mut V {
        let position = self.insert(hash, key, value);
        &mut self.entries[position].value
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, hash: u64, key: &K) -> Option<V> {
        let (slot, position) = self.find(hash, key)?;
        self.touch(position);
        self.free_slot(slot);
        let last = self.entries.len() - 1;
        if position != last {
            // The last entry moves into the gap: the cursor may have passed the gap already.
            self.touch(last);
            let moved_slot = self.slot_of_position(last);
            self.slots[moved_slot] = (self.slots[moved_slot] >> 32 << 32) | (position as u64 + 1);
        }
        if let Some(snapshot) = &mut self.snapshot {
            // Both entries are in the snapshot if they belong there; what was appended since the
            // mark never does, so the end may come down with the table.
            snapshot.end = snapshot.end.min(last);
        }
        Some(self.entries.swap_remove(position).value)
    }

    /// Every key and value, in no particular but repeatable order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// Takes every entry with its key hash out, in order of insertion.
    ///
    /// # Panics
    /// While a snapshot is being encoded: a table is emptied between checkpoints.
    pub fn drain(&mut self) -> impl Iterator<Item = (u64, K, V)> + use<K, V> {
        invariant!(self.snapshot.is_none(), "a table is drained while its snapshot is encoded");
        let mut lows = vec![0u32; self.entries.len()];
        for slot in &mut self.slots {
            if *slot != 0 {
                lows[(*slot as u32 - 1) as usize] = (*slot >> 32) as u32;
                *slot = 0;
            }
        }
        mem::take(&mut self.entries).into_iter().zip(lows).map(|(entry, low)| {
            let hash = (u64::from(entry.hash_high) << 32) | u64::from(low);
            (hash, entry.key, entry.value)
        })
    }

    /// Adds encoded entries of a snapshot.
    pub fn restore(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let key: K = codec::decode_from(&mut bytes)?;
            let value: V = codec::decode_from(&mut bytes)?;
            let hash = hash_key(&key)?;
            self.upsert(hash, key, || value.clone(), |_| ());
        }
        Ok(())
    }

    /// Slot and position of a key.
    #[inline]
    fn find(&self, hash: u64, key: &K) -> Option<(usize, usize)> {
        let mask = self.slots.len() - 1;
        let tag = hash as u32;
        let mut at = tag as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if (slot >> 32) as u32 == tag {
                let position = slot as u32 as usize - 1;
                if self.entries[position].key == *key {
                    return Some((at, position));
                }
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn insert(&mut self, hash: u64, key: K, value: V) -> usize {
        // A load of at most one half keeps probes short; the index is small beside the entries.
        if (self.entries.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let position = self.entries.len();
        assert!(position < u32::MAX as usize - 1, "a table holds at most 2^32 - 2 keys");
        let hash_high = (hash >> 32) as u32;
        self.entries.push(Entry { key, value, hash_high, epoch: self.epoch });
        let free = Self::free_place(&self.slots, hash as u32);
        self.slots[free] = slot_of(hash, position);
        position
    }

    fn free_place(slots: &[Slot], tag: u32) -> usize {
        let mask = slots.len() - 1;
        let mut at = tag as usize & mask;
        while slots[at] != 0 {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let old = mem::take(&mut self.slots);
        // Small tables grow in large steps: most of a young table's time is spent growing.
        let factor = if old.len() < LARGE_SLOTS { 4 } else { 2 };
        let mut slots = vec![0; old.len() * factor];
        self.entries.reserve_exact(slots.len() / 2 - self.entries.len());
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let free = Self::free_place(&slots, (slot >> 32) as u32);
            slots[free] = slot;
        }
        self.slots = slots;
    }

    /// Frees a slot and closes the gap in its probe run.
    fn free_slot(&mut self, mut gap: usize) {
        let mask = self.slots.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            let home = (slot >> 32) as usize & mask;
            // The slot may move back only if its home does not lie behind the gap.
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.slots[gap] = slot;
                gap = at;
            }
        }
        self.slots[gap] = 0;
    }

    /// The slot that points to an entry: found by walking its key's run.
    fn slot_of_position(&self, position: usize) -> usize {
        let hash = hash_key(&self.entries[position].key)
            .expect("a key that was inserted with its hash has one");
        let mask = self.slots.len() - 1;
        let mut at = hash as u32 as usize & mask;
        while self.slots[at] as u32 as usize != position + 1 {
            at = (at + 1) & mask;
        }
        at
    }

    /// Prepares an entry for a change.
    #[inline]
    fn touch(&mut self, position: usize) {
        if self.entries[position].epoch != self.epoch {
            self.first_change(position);
        }
    }

    #[cold]
    fn first_change(&mut self, position: usize) {
        if let Some(snapshot) = &mut self.snapshot
            && (snapshot.cursor..snapshot.end).contains(&position)
        {
            snapshot.encode(&self.entries[position]);
        }
        self.entries[position].epoch = self.epoch;
    }
}

impl Snapshot {
    fn encode<K: Key, V: Record>(&mut self, entry: &Entry<K, V>) {
        let group = key_group_of(u64::from(entry.hash_high) << 32, self.max_parallelism);
        invariant!(
            self.range.contains(group),
            "a key of group {group} is kept by the subtask of groups {:?}",
            self.range
        );
        if !self.is_checked {
            self.is_checked = true;
            let checked = check_value(&entry.key).and_then(|()| check_value(&entry.value));
            self.error = self.error.take().or(checked.err());
        }
        let buffer = &mut self.groups[(group - self.range.start) as usize];
        let encoded = codec::encode_into(&entry.key, buffer)
            .and_then(|()| codec::encode_into(&entry.value, buffer));
        if let Err(error) = encoded {
            self.error.get_or_insert(error);
        }
    }
}

/// A table as the snapshot machinery sees it: without its types.
pub trait SnapshotTable {
    /// Number of keys.
    fn key_count(&self) -> usize;

    /// Begins a snapshot of everything in the table now.
    fn mark(&mut self, range: KeyGroupRange, max_parallelism: u32);

    /// Encodes about so many entries; true when the snapshot is complete.
    fn encode_slice(&mut self, entries: usize) -> Result<bool>;

    /// Takes a complete snapshot: encoded entries by key group, empty groups left out.
    fn take_snapshot(&mut self) -> Vec<(u32, Vec<u8>)>;

    /// Drops an unfinished snapshot.
    fn abort_snapshot(&mut self);
}

impl<K: Key, V: Record> SnapshotTable for KeyedTable<K, V> {
    fn key_count(&self) -> usize {
        self.len()
    }

    fn mark(&mut self, range: KeyGroupRange, max_parallelism: u32) {
        invariant!(self.snapshot.is_none(), "a snapshot begins while another is encoded");
        self.epoch = self.epoch.checked_add(1).expect("a table sees fewer than 2^32 snapshots");
        self.snapshot = Some(Snapshot {
            cursor: 0,
            end: self.entries.len(),
            range,
            max_parallelism,
            groups: vec![Vec::new(); range.count() as usize],
            is_checked: false,
            error: None,
        });
    }

    fn encode_slice(&mut self, entries: usize) -> Result<bool> {
        let Some(snapshot) = &mut self.snapshot else { return Ok(true) };
        let stop = snapshot.end.min(snapshot.cursor.saturating_add(entries));
        for entry in &self.entries[snapshot.cursor.min(stop)..stop] {
            if entry.epoch != self.epoch {
                snapshot.encode(entry);
            }
        }
        snapshot.cursor = snapshot.cursor.max(stop);
        match snapshot.error.take() {
            Some(error) => Err(error),
            None => Ok(snapshot.cursor >= snapshot.end),
        }
    }

    fn take_snapshot(&mut self) -> Vec<(u32, Vec<u8>)> {
        let Some(snapshot) = self.snapshot.take() else { return Vec::new() };
        invariant!(snapshot.cursor >= snapshot.end, "an incomplete snapshot is taken");
        (snapshot.range.start..).zip(snapshot.groups).filter(|(_, g)| !g.is_empty()).collect()
    }

    fn abort_snapshot(&mut self) {
        self.snapshot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_trace::refuses_samples::Swapped;
    use std::collections::BTreeMap;
    use weir_base::SeededRng;

    const ALL: KeyGroupRange = KeyGroupRange { start: 0, end: 128 };

    fn add(table: &mut KeyedTable<u64, u64>, key: u64, amount: u64) {
        table.upsert(hash_key(&key).unwrap(), key, || 0, |value| *value += amount);
    }

    fn content(table: &KeyedTable<u64, u64>) -> BTreeMap<u64, u64> {
        table.iter().map(|(key, value)| (*key, *value)).collect()
    }

    fn restored(groups: &[(u32, Vec<u8>)]) -> BTreeMap<u64, u64> {
        let mut table = KeyedTable::<u64, u64>::new();
        for (group, bytes) in groups {
            let before = table.len();
            table.restore(bytes).unwrap();
            for (key, _) in table.iter().skip(before) {
                assert_eq!(key_group_of(hash_key(key).unwrap(), 128), *group);
            }
        }
        content(&table)
    }

    #[test]
    fn it_behaves_like_a_map_under_random_changes() {
        let mut rng = SeededRng::new(11);
        let mut table = KeyedTable::new();
        let mut model = BTreeMap::new();
        for _ in 0..50_000 {
            let key = rng.below(500);
            if rng.percent(30) {
                let removed = table.remove(hash_key(&key).unwrap(), &key);
                assert_eq!(removed, model.remove(&key));
            } else {
                add(&mut table, key, 1);
                *model.entry(key).or_insert(0) += 1;
            }
        }
        assert_eq!(content(&table), model);
        let drained: BTreeMap<u64, u64> = table
            .drain()
            .map(|(hash, key, value)| {
                assert_eq!(hash, hash_key(&key).unwrap());
                (key, value)
            })
            .collect();
        assert_eq!(drained, model);
        assert!(table.is_empty());
        assert_eq!(table.get(hash_key(&1u64).unwrap(), &1), None);
    }

    #[test]
    fn a_snapshot_holds_exactly_the_marked_content_whatever_changes_meanwhile() {
        for seed in 0..200 {
            let mut rng = SeededRng::new(seed);
            let mut table = KeyedTable::new();
            for _ in 0..rng.below(300) {
                add(&mut table, rng.below(100), 1);
            }
            let expected = content(&table);
            table.mark(ALL, 128);
            while !table.encode_slice(rng.below(8) as usize).unwrap() {
                for _ in 0..rng.below(20) {
                    let key = rng.below(150);
                    if rng.percent(40) {
                        table.remove(hash_key(&key).unwrap(), &key);
                    } else {
                        add(&mut table, key, 1000);
                    }
                }
            }
            assert_eq!(restored(&table.take_snapshot()), expected, "seed {seed}");
        }
    }

    #[test]
    fn a_table_that_is_emptied_while_its_snapshot_is_encoded_keeps_the_snapshot_whole() {
        for from_the_end in [false, true] {
            let mut table = KeyedTable::new();
            (0..100).for_each(|key| add(&mut table, key, key));
            let expected = content(&table);
            table.mark(ALL, 128);
            table.encode_slice(10).unwrap();
            for i in 0..100u64 {
                let key = if from_the_end { 99 - i } else { i };
                assert_eq!(table.remove(hash_key(&key).unwrap(), &key), Some(key));
            }
            while !table.encode_slice(10).unwrap() {}
            assert_eq!(restored(&table.take_snapshot()), expected);
        }
    }

    #[test]
    fn snapshot_of_values_that_do_not_come_back_is_refused() {
        let mut table = KeyedTable::new();
        table.upsert(hash_key(&1u64).unwrap(), 1u64, || Swapped::new(1, 2), |_| ());
        table.mark(ALL, 128);
        let error = table.encode_slice(10).expect_err("a restore would change it");
        assert_eq!(error.code(), "WEIR-TYPE-0003");
    }

    #[test]
    fn an_aborted_snapshot_leaves_no_trace() {
        let mut table = KeyedTable::new();
        add(&mut table, 1, 1);
        table.mark(ALL, 128);
        table.abort_snapshot();
        add(&mut table, 1, 1);
        table.mark(ALL, 128);
        assert!(table.encode_slice(10).unwrap());
        assert_eq!(restored(&table.take_snapshot()), BTreeMap::from([(1, 2)]));
    }
}
