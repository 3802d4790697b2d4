//! `fixtures/<release>/<message>.msgpack` holds each cluster message as that release encodes it. What a release
//! has sent must stay readable, so the fixtures of a published release never change.

use crate::samples::{Sample, other_values, samples};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use weir_protocol::cluster::*;

const RELEASE: &str = env!("CARGO_PKG_VERSION");

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures")
}

fn tree(bytes: &[u8]) -> Value {
    rmp_serde::from_slice(bytes).expect("msgpack with names")
}

fn untree(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("plain data")
}

/// Whether everything in a message of an older release is also in what this release makes of it.
fn holds(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|new| holds(new, value)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old))
        }
        _ => new == old,
    }
}

#[test]
fn every_message_has_a_sample() {
    let sampled: BTreeSet<_> = samples().iter().map(|sample| sample.name).collect();
    let all: BTreeSet<_> = MESSAGE_NAMES.iter().copied().collect();
    assert_eq!(sampled, all, "add a sample of each message to protocol/tests/it/samples.rs");
}

#[test]
fn every_message_is_encoded_as_its_fixture_of_this_release_says() {
    let folder = fixtures().join(RELEASE);
    let is_renewed = std::env::var_os("WEIR_BLESS").is_some();
    if is_renewed {
        fs::create_dir_all(&folder).expect("writable");
    }
    for Sample { name, bytes, .. } in samples() {
        let path = folder.join(format!("{name}.msgpack"));
        if is_renewed {
            fs::write(&path, &bytes).expect("writable");
        }
        let fixture = fs::read(&path).unwrap_or_default();
        assert!(
            fixture == bytes,
            "{name} is encoded otherwise than its fixture of release {RELEASE} ({}) says, or has \
             none. If {RELEASE} is not published yet, write the fixtures anew: WEIR_BLESS=1 cargo \
             test -p weir-protocol --test it. If it is published, its fixtures must not change: raise \
             the version of the workspace first",
            path.display(),
        );
    }
}

#[test]
fn messages_of_every_release_are_understood() {
    let samples = samples();
    let mut count = 0;
    for release in fs::read_dir(fixtures()).expect("the folder of fixtures") {
        for file in fs::read_dir(release.expect("readable").path()).expect("a release's folder") {
            let path = file.expect("readable").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
            let sample = samples.iter().find(|sample| sample.name == name);
            let sample = sample.unwrap_or_else(|| panic!("{name} is no message any more"));
            let old = fs::read(&path).expect("readable");
            let new = (sample.reencode)(&old).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            assert!(holds(&tree(&new), &tree(&old)), "{path:?} is understood in part only");
            count += 1;
        }
    }
    assert!(count >= MESSAGE_NAMES.len());
}

#[test]
fn every_value_of_an_enum_is_read_back() {
    for Sample { name, bytes, reencode } in other_values() {
        assert_eq!(reencode(&bytes).as_ref(), Ok(&bytes), "{name}: {}", tree(&bytes));
    }
}

/// Adds a field to each struct.
fn with_more_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_more_fields);
            fields.insert("added_by_a_later_release".to_owned(), json!({"a": [1, "b"]}));
        }
        Value::Array(values) => values.iter_mut().for_each(with_more_fields),
        _ => {}
    }
}

#[test]
fn fields_that_a_later_release_adds_are_ignored() {
    for Sample { name, bytes, reencode } in samples() {
        let mut later = tree(&bytes);
        with_more_fields(&mut later);
        assert_eq!(reencode(&untree(&later)).as_ref(), Ok(&bytes), "{name}");
    }
}

/// Calls `visit` with the path of each field, and the message without that field.
fn without_each_field(message: &Value, visit: &mut impl FnMut(&str, &Value)) {
    fn pointers(value: &Value, at: &str, names: &str, out: &mut Vec<(String, String, String)>) {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let names = format!("{names}.{name}");
                    out.push((at.to_owned(), name.clone(), names.clone()));
                    pointers(inner, &format!("{at}/{name}"), &names, out);
                }
            }
            Value::Array(values) => {
                if let Some(first) = values.first() {
                    pointers(first, &format!("{at}/0"), names, out);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    pointers(message, "", "", &mut all);
    for (at, name, names) in all {
        let mut less = message.clone();
        let parent = less.pointer_mut(&at).and_then(Value::as_object_mut).expect("a struct");
        parent.remove(&name);
        visit(&names, &less);
    }
}

/// The fields without a default, which every release must send, with the message that contains them.
const REQUIRED_FIELDS: &str = include_str!("required_fields.txt");

#[test]
fn required_fields() {
    let mut required = BTreeSet::new();
    let mut optional = 0;
    for Sample { name, bytes, reencode } in samples() {
        without_each_field(&tree(&bytes), &mut |field, less| match reencode(&untree(less)) {
            Ok(_) => optional += 1,
            Err(_) => drop(required.insert(format!("{name}{field}\n"))),
        });
    }
    let found: String = required.into_iter().collect();
    assert!(optional > 0);
    assert_eq!(
        found, REQUIRED_FIELDS,
        "a field that is added needs #[serde(default)]: the release before does not send it"
    );
}

/// A message of this type in which one value of an enum is of a later release.
fn with_value<T: Message>(pointer: &str) -> T {
    let sample = samples().into_iter().find(|sample| sample.name == T::NAME).expect("a sample");
    let mut later = tree(&sample.bytes);
    *later.pointer_mut(pointer).expect("the field") = json!("OF_A_LATER_RELEASE");
    decode(&untree(&later)).expect("understood")
}

#[test]
fn values_that_a_later_release_adds_are_unknown() {
    let orders: NodeOrders = with_value("/action");
    assert_eq!(orders.action, NodeAction::Unknown);
    let heartbeat: NodeHeartbeat = with_value("/containers/1/state");
    let states: Vec<_> = heartbeat.containers.iter().map(|report| report.state).collect();
    use ContainerState::{Complete, Killing, Localizing, Unknown};
    assert_eq!(states, [Localizing, Unknown, Killing, Complete]);
    let allocated: Allocated = with_value("/command");
    assert_eq!(allocated.command, AppMasterCommand::Unknown);
    let finish: FinishAppMaster = with_value("/final_status");
    assert_eq!(finish.final_status, FinalStatus::Undefined);
}
