//! Checks elements that `main` holds. On a cluster `main` runs in each task host, and all runs must
//! build the same graph, of which the elements are part.

use super::{Trace, fault, panics::catch_panic, trace};
use crate::{
    codec,
    error::{Error, Result},
    record::Record,
};
use std::any::type_name;

/// How often an element is read back whose parts cannot be seen. A hash table of two entries lists
/// them in the same order again in up to two of three cases, so 100 times mean one in 10^17.
const REPETITIONS: usize = 100;

/// Checks that elements come back from their encoding, and that each run encodes them alike.
///
/// # Errors
/// - `WEIR-TYPE-0003`: an element does not come back.
/// - `WEIR-TYPE-0004`: the elements contain a hash table.
pub fn check_elements<T: Record>(elements: &[T]) -> Result<()> {
    let trace = trace::<T>();
    check_order::<T>(&trace)?;
    // In bytes that describe themselves, and behind a part that refused all samples, there may be
    // a hash table.
    let is_seen_whole = trace.succeeded && trace.seen.self_describing.is_none();
    let repetitions = if is_seen_whole { 1 } else { REPETITIONS };
    let numbered = (1usize..).zip(elements);
    numbered.into_iter().try_for_each(|(number, element)| {
        catch_panic(|| check_element(number, element, repetitions, is_seen_whole))
            .unwrap_or_else(|panic| Err(refused::<T>(number, &format!("a panic: {panic}"))))
    })
}

fn check_order<T: Record>(trace: &Trace) -> Result<()> {
    let Some((path, container)) = &trace.seen.hash_table else { return Ok(()) };
    let part = fault::Part(path);
    Err(varies::<T>("elements", &format!("{part} is a {container}, whose order")))
}

fn check_element<T: Record>(
    number: usize,
    element: &T,
    repetitions: usize,
    is_seen_whole: bool,
) -> Result<()> {
    let encoded =
        codec::encode(element).map_err(|error| refused::<T>(number, &error.to_string()))?;
    for _ in 0..repetitions {
        let back: T =
            codec::decode(&encoded).map_err(|error| refused::<T>(number, &error.to_string()))?;
        if codec::encode(&back)? == encoded {
            continue;
        }
        return Err(if is_seen_whole {
            refused::<T>(number, "its encoding changes when it is read and written again")
        } else {
            let what = "it contains a HashMap or HashSet, whose order";
            varies::<T>(&format!("element {number}"), what)
        });
    }
    Ok(())
}

fn refused<T>(number: usize, problem: &str) -> Error {
    let text = format!(
        "element {number} of type {} cannot be sent or stored: {problem}. Change the type, or wrap \
         it in `weir::SelfDescribing`",
        type_name::<T>()
    );
    Error::permanent("WEIR-TYPE-0003", text)
}

/// `what` ends in the part whose order differs.
fn varies<T>(elements: &str, what: &str) -> Error {
    let text = format!(
        "{elements} of type {} cannot be part of a program: {what} differs from run to run (use \
         BTreeMap or BTreeSet)",
        type_name::<T>()
    );
    Error::permanent("WEIR-TYPE-0004", text)
}
