//! Checks values while a job runs. A type may refuse all samples, or all samples of a part. It is
//! accepted when the job is planned, so its first real values are written and read back before a
//! checkpoint contains them or another task host gets them.

use super::{fault::Part, leaves::Leaves};
use crate::{
    codec,
    error::{Error, Result},
    record::Record,
};
use std::any::type_name;

/// Longest encoding of a value that is checked, in bytes. Larger values would take too long.
const MAX_CHECKED_BYTES: usize = 4 * 1024;

/// Checks that a value comes back equal from its encoding. Does nothing if the encoding is longer
/// than 4 KiB.
///
/// # Errors
/// `WEIR-TYPE-0003`: it does not. `WEIR-TYPE-0001`: it cannot be encoded.
pub fn check_value<T: Record>(value: &T) -> Result<()> {
    let encoded = codec::encode(value)?;
    if encoded.len() > MAX_CHECKED_BYTES {
        return Ok(());
    }
    let problem = match codec::decode::<T>(&encoded) {
        Err(error) => Some(error.to_string()),
        Ok(back) => difference(value, &back),
    };
    let Some(problem) = problem else { return Ok(()) };
    let text = format!(
        "a value of type {} cannot be sent or stored: {problem}. Change the type, or wrap it in \
         `weir::SelfDescribing`",
        type_name::<T>()
    );
    Err(Error::permanent("WEIR-TYPE-0003", text))
}

/// What differs between a value and the value that was read back.
fn difference<T: Record>(value: &T, back: &T) -> Option<String> {
    let (written, read) = match (Leaves::of(value), Leaves::of(back)) {
        (Ok(written), Ok(read)) => (in_order(written), in_order(read)),
        (Err(fault), _) | (_, Err(fault)) => return Some(fault.to_string()),
    };
    let pairs = written.iter().zip(&read);
    match pairs.into_iter().find(|(written, read)| written != read) {
        Some(((path, _), _)) => Some(format!("{} comes back changed", Part(path))),
        None if written.len() != read.len() => {
            Some("it comes back with more or fewer parts".to_owned())
        }
        None => None,
    }
}

/// The leaves in an order that does not depend on that of a hash table.
fn in_order(leaves: Leaves) -> Vec<(String, String)> {
    let mut list = leaves.list;
    list.sort();
    list
}

#[cfg(test)]
mod tests {
    use super::super::refuses_samples::Swapped;
    use super::*;
    use crate::{ListState, SelfDescribing, schema_trace::schema_of};
    use std::collections::{BTreeMap, HashMap, HashSet};

    #[test]
    fn type_that_refuses_all_samples_is_checked_by_its_values() {
        schema_of::<Swapped>().expect("nothing is known of it");
        check_value(&Swapped::new(7, 7)).expect("it comes back");
        let error = check_value(&Swapped::new(1, 2)).expect_err("it comes back changed");
        assert_eq!(error.code(), "WEIR-TYPE-0003");
        assert!(error.to_string().contains("its part .0 comes back changed"), "{error}");
        let nested = (1u8, vec![Some(Swapped::new(1, 2))]);
        let error = check_value(&nested).expect_err("it comes back changed");
        assert!(error.to_string().contains("its part .1[].0 comes back changed"), "{error}");
    }

    #[test]
    fn list_state_whose_items_come_back_changed_is_not_stored() {
        let mut lists = ListState::default();
        let error = lists.put("list", &[Swapped::new(1, 2)]).expect_err("it comes back changed");
        assert_eq!(error.code(), "WEIR-TYPE-0003");
        assert!(lists.entries.is_empty());
    }

    #[test]
    fn values_whose_encoding_has_no_fixed_order_are_accepted() {
        let table: HashMap<u32, HashSet<String>> =
            (0..50).map(|key| (key, HashSet::from([format!("a{key}"), "b".to_owned()]))).collect();
        check_value(&table).expect("it comes back");
        check_value(&SelfDescribing(table)).expect("it comes back");
        check_value(&(f64::NAN, -0.0f64, BTreeMap::from([(1u8, 'a')]))).expect("it comes back");
    }
}
