//! Traces a serde type without a value of it: its schema, and whether its values come back equal
//! from the compact codec.
//!
//! The type is deserialised from a source of samples ([`sampler`]) as often as it takes to visit
//! each variant of each enum, Some and None of each Option, sequences with and without an element,
//! and two values of each leaf ([`explorer`]). Every value that comes of it is written to bytes and
//! read back, and the two are compared leaf by leaf ([`leaves`]).
//!
//! A type that checks its input may refuse all samples. Then its shape is opaque and nothing is
//! known of its values when the job is planned. Its first real values are checked while the job runs
//! ([`check_value`]), and the codec refuses to leave out a field.

mod elements;
mod explorer;
mod fault;
mod leaves;
mod panics;
mod real_value;
mod sampler;

use crate::{
    codec,
    error::{Error, Result},
    record::{Key, Record},
};
pub use elements::check_elements;
use explorer::{Explorer, Seen, Wide};
use fault::Fault;
use leaves::Leaves;
use panics::catch_panic;
pub use real_value::check_value;
use sampler::Sampler;
use std::any::type_name;
use weir_graph::{Schema, Shape};

/// Name of the newtype that stands around a value with a self-describing encoding.
pub const SELF_DESCRIBING: &str = "weir::SelfDescribing";

/// Elements of a sequence by which keys are tested: enough that two orders of a hash table are
/// hardly ever the same.
const KEY_ELEMENTS: usize = 6;

/// Sets made of the same elements that are compared with one another.
const KEY_REPETITIONS: usize = 4;

/// What the samples of a type have shown.
struct Trace {
    schema: Schema,
    /// Why its values do not come back equal, if they do not.
    fault: Option<Fault>,
    /// Whether the type has accepted a sample.
    succeeded: bool,
    /// Shape of the parts that were reached, also where no sample was accepted.
    reached: Shape,
    seen: Seen,
}

/// The schema of a type whose values are sent and stored.
///
/// # Errors
/// `WEIR-TYPE-0003`: its values do not come back equal from the codec.
pub fn schema_of<T: Record>() -> Result<Schema> {
    let trace = trace::<T>();
    match trace.fault {
        None => Ok(trace.schema),
        Some(fault) => Err(Error::permanent(
            "WEIR-TYPE-0003",
            format!(
                "type {} cannot be sent or stored: {fault}. Change it, or wrap it in \
                 `weir::SelfDescribing`",
                type_name::<T>()
            ),
        )),
    }
}

/// Samples a type until everything in it has been visited.
fn trace<T: Record>() -> Trace {
    let mut explorer = Explorer::new(None);
    let mut shape = Shape::Opaque;
    let mut succeeded = false;
    loop {
        while explorer.seen.fault.is_none() && explorer.next_round() {
            let Some(value) = sample::<T>(&mut explorer, &mut shape) else { continue };
            succeeded = true;
            let compared = comes_back(&value, &explorer.seen);
            explorer.seen.fault = drop_caught(value).and(compared).err();
        }
        if explorer.seen.fault.is_some() || !explorer.start_over() {
            break;
        }
    }
    let name = type_name::<T>().to_owned();
    let reached = shape.clone();
    // What refuses its samples is opaque by itself: changes of the parts beside it are still noticed.
    let has_parts = matches!(shape, Shape::Struct(_) | Shape::Tuple(_) | Shape::Enum(_));
    let shape = if succeeded || has_parts { shape } else { Shape::Opaque };
    let fault = explorer.seen.fault.take();
    Trace { schema: Schema { name, shape }, fault, succeeded, reached, seen: explorer.seen }
}

/// A value that the type has made of a sample; `None` if it refused the sample or panicked.
fn sample<T: Record>(explorer: &mut Explorer, shape: &mut Shape) -> Option<T> {
    let value = catch_panic(|| T::deserialize(Sampler { explorer: &mut *explorer, shape }));
    match value {
        Ok(Ok(value)) => {
            explorer.round_succeeded();
            Some(value)
        }
        Ok(Err(_)) => {
            explorer.round_failed();
            None
        }
        Err(message) => {
            let path = explorer.shown_path();
            let panicked = Fault::Panicked { path, trait_name: "Deserialize", message };
            explorer.seen.fault.get_or_insert(panicked);
            None
        }
    }
}

/// Drops a value of the author's type.
fn drop_caught<T>(value: T) -> Result<(), Fault> {
    catch_panic(|| drop(value)).map_err(|message| Fault::Panicked {
        path: String::new(),
        trait_name: "Drop",
        message,
    })
}

/// Writes a value, reads it back, and compares.
fn comes_back<T: Record>(value: &T, seen: &Seen) -> Result<(), Fault> {
    let written = Leaves::of(value)?;
    let not_read = |problem: String| {
        let other = written.structs.iter().find_map(|(name, written)| {
            let read = seen.structs.get(name).filter(|read| *read != written)?;
            Some(Fault::OtherFields { name, written: written.clone(), read: read.clone() })
        });
        other.unwrap_or(Fault::NotReadBack { problem })
    };
    let bytes = codec::encode(value).map_err(|error| not_read(error.to_string()))?;
    let back: T = catch_panic(|| codec::decode(&bytes))
        .map_err(|panic| not_read(format!("its Deserialize panicked: {panic}")))?
        .map_err(|error| not_read(error.to_string()))?;
    let read = Leaves::of(&back);
    drop_caught(back)?;
    let read = read?;
    let pairs = written.list.iter().zip(&read.list);
    let differs = pairs.into_iter().find(|(written, read)| written != read);
    if let Some(((path, written), (_, read))) = differs {
        let part = fault::Part(path);
        return Err(not_read(format!(
            "{part} was written as {written:?} and came back as {read:?}"
        )));
    }
    if written.list.len() != read.list.len() {
        return Err(not_read("a value came back with more or fewer parts".to_owned()));
    }
    Ok(())
}

/// Checks that equal values of a type are hashed and encoded alike.
///
/// # Errors
/// `WEIR-KEY-0001`: they are not, or the type contains a float, a map, or a set that is not sorted.
pub fn check_key<K: Key>() -> Result<()> {
    let Some(problem) = key_problem::<K>() else { return Ok(()) };
    let message = format!("a stream cannot be keyed by {}: {problem}", type_name::<K>());
    Err(Error::permanent("WEIR-KEY-0001", message))
}

fn key_problem<K: Key>() -> Option<String> {
    let trace = trace::<K>();
    let is = |path: &str, what: &str| format!("{} is {what}", fault::Part(path));
    if let Some(path) = trace.reached.find(&|shape| matches!(shape, Shape::Float(_))) {
        let why = "and equal floats can have different bits (use an integer, for example cents, or a text)";
        return Some(format!("{}, {why}", is(&path, "a float")));
    }
    let seen = &trace.seen;
    if let Some((path, container)) = seen.hash_table.as_ref().or(seen.insertion_ordered.as_ref()) {
        let what = format!(
            "a {container}, and equal values of it can list their elements in different orders \
             (use a sorted collection, such as BTreeSet)"
        );
        return Some(is(path, &what));
    }
    if let Some(path) = trace.reached.find(&|shape| matches!(shape, Shape::Map(..))) {
        let what = "a map, and maps are no keys (use a sorted sequence of pairs)";
        return Some(is(&path, what));
    }
    if let Some(path) = &trace.seen.self_describing {
        let what = "a SelfDescribing, and equal values of it can be encoded differently";
        return Some(is(path, what));
    }
    if let Some(fault @ Fault::Panicked { .. }) = &trace.fault {
        return Some(fault.to_string());
    }
    match has_equals_that_differ::<K>() {
        Err(panicked) => Some(panicked.to_string()),
        Ok(false) => None,
        Ok(true) => Some(
            "the order in which its elements were added changes its encoding but not its equality \
             (use a sorted collection)"
                .to_owned(),
        ),
    }
}

/// Whether two samples that were filled in different orders are equal but encoded differently.
///
/// # Errors
/// Code of the author panics.
fn has_equals_that_differ<K: Key>() -> Result<bool, Fault> {
    let mut explorer = Explorer::new(Some(Wide { elements: KEY_ELEMENTS, reversed: false }));
    while !matches!(explorer.seen.fault, Some(Fault::Panicked { .. })) && explorer.next_round() {
        let mut shape = Shape::Opaque;
        let Some(value) = sample::<K>(&mut explorer, &mut shape) else { continue };
        for _ in 0..KEY_REPETITIONS {
            let other = sample::<K>(&mut explorer.reversed(), &mut shape);
            if let Some(other) = other
                && equal_but_different(&value, &other)?
            {
                return Ok(true);
            }
        }
    }
    match explorer.seen.fault {
        Some(fault @ Fault::Panicked { .. }) => Err(fault),
        _ => Ok(false),
    }
}

fn equal_but_different<K: Key>(one: &K, other: &K) -> Result<bool, Fault> {
    let panicked =
        |trait_name| move |message| Fault::Panicked { path: String::new(), trait_name, message };
    if !catch_panic(|| one == other).map_err(panicked("PartialEq"))? {
        return Ok(false);
    }
    let is_encoded_alike = || codec::encode(one).ok() == codec::encode(other).ok();
    let is_alike = catch_panic(is_encoded_alike).map_err(panicked("Serialize"))?;
    Ok(!is_alike)
}

#[cfg(test)]
pub(crate) mod refuses_samples;
#[cfg(test)]
mod tests;
