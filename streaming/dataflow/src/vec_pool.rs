//! Emptied vectors go back to whoever fills the next batch.
//!
//! A batch's vector is filled in one task and emptied in another, thousands of times a second. The
//! allocator would give such memory back to the operating system and fetch it again, page by
//! zeroed page; here it is kept instead, per record type, for all tasks of the process. A few
//! vectors of the usual batch size each: what does not fit is freed.

use crate::batch::MAX_RECORDS;
use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Vectors kept per type.
const MAX_KEPT: usize = 64;
/// Larger vectors are freed.
const MAX_KEPT_BYTES: usize = 256 * 1024;

type Pool<T> = Mutex<Vec<Vec<T>>>;

thread_local! {
    /// The pools this thread has used: few, so a search beats a hash.
    static KNOWN: RefCell<Vec<(TypeId, &'static (dyn Any + Sync))>> = const { RefCell::new(Vec::new()) };
}

/// The pool of a type. Pools live for ever; there are as many as record types.
fn pool<T: Send + 'static>() -> &'static Pool<T> {
    static ALL: Mutex<Option<HashMap<TypeId, &'static (dyn Any + Sync)>>> = Mutex::new(None);
    let id = TypeId::of::<T>();
    let known = KNOWN.with_borrow(|known| known.iter().find(|(of, _)| *of == id).map(|(_, p)| *p));
    let pool = known.unwrap_or_else(|| {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = *all.get_or_insert_default().entry(id).or_insert_with(|| {
            let pool: &'static Pool<T> = Box::leak(Box::default());
            pool
        });
        KNOWN.with_borrow_mut(|known| known.push((id, pool)));
        pool
    });
    (pool as &dyn Any).downcast_ref().expect("a type's pool is of that type")
}

/// An empty vector with room for about a batch.
pub fn take<T: Send + 'static>() -> Vec<T> {
    let kept = pool::<T>().lock().unwrap_or_else(PoisonError::into_inner).pop();
    kept.unwrap_or_else(|| Vec::with_capacity(MAX_RECORDS))
}

/// Gives a vector back; what is still in it is dropped.
pub fn give<T: Send + 'static>(mut vector: Vec<T>) {
    vector.clear();
    let bytes = vector.capacity() * size_of::<T>();
    if vector.capacity() < MAX_RECORDS / 2 || bytes > MAX_KEPT_BYTES {
        return;
    }
    let mut kept = pool::<T>().lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < MAX_KEPT {
        kept.push(vector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_empty_and_to_its_own_type() {
        #[derive(Clone, PartialEq, Debug)]
        struct Own(u64);
        let mut vector = take::<Own>();
        vector.push(Own(7));
        let place = vector.as_ptr();
        give(vector);
        let again = take::<Own>();
        assert_eq!((again.len(), again.as_ptr()), (0, place));
        let other = take::<Own>();
        assert_ne!(other.as_ptr(), place);
    }

    #[test]
    fn small_and_huge_vectors_are_not_kept() {
        struct Other;
        give::<(u64, Other)>(Vec::with_capacity(1));
        give::<(u64, Other)>(Vec::with_capacity(MAX_KEPT_BYTES));
        assert_eq!(take::<(u64, Other)>().capacity(), MAX_RECORDS);
    }
}
