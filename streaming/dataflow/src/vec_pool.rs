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

/// Vectors kept per type for all threads.
const MAX_SHARED: usize = 64;
/// Vectors kept per type by each thread: enough for operators of one chain, which hand the same
/// ones round without a lock.
const MAX_OWN: usize = 4;
/// Larger vectors are freed.
const MAX_KEPT_BYTES: usize = 256 * 1024;

type Shared<T> = Mutex<Vec<Vec<T>>>;

/// What one thread keeps of one type.
struct Own<T: 'static> {
    vectors: Vec<Vec<T>>,
    shared: &'static Shared<T>,
}

thread_local! {
    /// What this thread keeps: few types, so a search beats a hash.
    static OWN: RefCell<Vec<(TypeId, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// What all threads keep of a type. It lives for ever; there are as many as record types.
fn shared<T: Send + 'static>() -> &'static Shared<T> {
    static ALL: Mutex<Option<HashMap<TypeId, &'static (dyn Any + Sync)>>> = Mutex::new(None);
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let found = *all.get_or_insert_default().entry(TypeId::of::<T>()).or_insert_with(|| {
        let shared: &'static Shared<T> = Box::leak(Box::default());
        shared
    });
    (found as &dyn Any).downcast_ref().expect("what is kept of a type is of that type")
}

fn with_own<T: Send + 'static, R>(body: impl FnOnce(&mut Own<T>) -> R) -> R {
    OWN.with_borrow_mut(|own| {
        let id = TypeId::of::<T>();
        let place = own.iter().position(|(of, _)| *of == id).unwrap_or_else(|| {
            let fresh = Own::<T> { vectors: Vec::new(), shared: shared() };
            own.push((id, Box::new(fresh)));
            own.len() - 1
        });
        let kept = own[place].1.downcast_mut();
        body(kept.expect("what is kept of a type is of that type"))
    })
}

/// An empty vector with room for about a batch.
pub fn take<T: Send + 'static>() -> Vec<T> {
    let kept = with_own::<T, _>(|own| {
        own.vectors
            .pop()
            .or_else(|| own.shared.lock().unwrap_or_else(PoisonError::into_inner).pop())
    });
    kept.unwrap_or_else(|| Vec::with_capacity(MAX_RECORDS))
}

/// Gives a vector back; what is still in it is dropped.
pub fn give<T: Send + 'static>(mut vector: Vec<T>) {
    vector.clear();
    let bytes = vector.capacity() * size_of::<T>();
    if vector.capacity() < MAX_RECORDS / 2 || bytes > MAX_KEPT_BYTES {
        return;
    }
    with_own::<T, _>(|own| {
        if own.vectors.len() < MAX_OWN {
            own.vectors.push(vector);
            return;
        }
        let mut shared = own.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.len() < MAX_SHARED {
            shared.push(vector);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_empty_and_to_its_own_type() {
        #[derive(Clone, PartialEq, Debug)]
        struct Mine(u64);
        let mut vector = take::<Mine>();
        vector.push(Mine(7));
        let place = vector.as_ptr();
        give(vector);
        let again = take::<Mine>();
        assert_eq!((again.len(), again.as_ptr()), (0, place));
        let other = take::<Mine>();
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
