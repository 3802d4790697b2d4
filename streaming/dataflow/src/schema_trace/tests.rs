//! Types that are accepted and refused, as records and as keys.

use super::*;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Order {
    id: u64,
    price: Option<f64>,
    tags: Vec<Text>,
    parent: Option<Box<Order>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
enum Event {
    Click { x: i32 },
    Close,
    Scroll(u8, Option<Text>),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Expression {
    Sum(Box<Expression>, Box<Expression>),
    All(Vec<Expression>),
    Number(i64),
}

fn shape_of<T: Record>() -> Shape {
    schema_of::<T>().expect("a good type").shape
}

#[test]
fn structs_tuples_and_options_are_traced() {
    assert_eq!(shape_of::<(Text, u64)>(), Shape::Tuple(vec![Shape::String, Shape::Uint(64)]));
    let Shape::Struct(fields) = shape_of::<Order>() else { panic!("a struct") };
    assert_eq!(fields[1], ("price".into(), Shape::Option(Box::new(Shape::Float(64)))));
    assert_eq!(fields[2], ("tags".into(), Shape::Sequence(Box::new(Shape::String))));
}

#[test]
fn enums_show_all_variants() {
    let Shape::Enum(variants) = shape_of::<Event>() else { panic!("an enum") };
    let scroll = Shape::Tuple(vec![Shape::Uint(8), Shape::Option(Box::new(Shape::String))]);
    let expected = [
        ("Click".to_owned(), Shape::Struct(vec![("x".into(), Shape::Int(32))])),
        ("Close".to_owned(), Shape::Unit),
        ("Scroll".to_owned(), scroll),
    ];
    assert_eq!(variants, expected);
}

#[test]
fn variants_whose_names_begin_alike_are_told_apart() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Reason {
        Expired,
        Locked(u8),
        Other { code: u32 },
    }
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Session {
        Login(u32),
        LoginFailed(Reason),
    }
    let Shape::Enum(variants) = shape_of::<Session>() else { panic!("an enum") };
    let Shape::Enum(reasons) = &variants[1].1 else { panic!("{variants:?}") };
    assert!(reasons.iter().all(|(_, shape)| *shape != Shape::Opaque), "{reasons:?}");
}

#[test]
fn part_that_refuses_its_samples_is_opaque_by_itself() {
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Details {
        Order { number: u64 },
    }
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Account {
        id: u64,
        #[serde(with = "crate::self_describing")]
        details: Details,
    }
    let Shape::Struct(fields) = shape_of::<Account>() else { panic!("a struct") };
    assert_eq!(fields[0], ("id".to_owned(), Shape::Uint(64)));
}

#[test]
fn recursive_types_end() {
    let Shape::Enum(variants) = shape_of::<Expression>() else { panic!("an enum") };
    assert!(variants.iter().all(|(_, shape)| *shape != Shape::Opaque), "{variants:?}");
}

#[test]
fn types_that_check_their_input_are_sampled_with_other_values() {
    assert_eq!(shape_of::<std::num::NonZeroU64>(), Shape::Uint(64));
    assert_eq!(shape_of::<(std::net::IpAddr, Text)>(), {
        let bytes = |n| Shape::Tuple(vec![Shape::Uint(8); n]);
        let address = Shape::Enum(vec![("V4".into(), bytes(4)), ("V6".into(), bytes(16))]);
        Shape::Tuple(vec![address, Shape::String])
    });
    let Shape::Struct(fields) = shape_of::<Checked>() else { panic!("a struct") };
    assert_eq!(fields[2].1, Shape::Option(Box::new(Shape::Bool)), "{fields:?}");
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Day(String);

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split('-').collect();
        if parts.len() == 3 { Ok(Self(text)) } else { Err("not a day") }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.0
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Checked {
    day: Day,
    count: std::num::NonZeroI8,
    last: Option<bool>,
}

#[test]
fn a_type_that_refuses_every_sample_is_opaque_but_named() {
    #[derive(Clone, Serialize)]
    struct Never;
    impl<'de> Deserialize<'de> for Never {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u64::deserialize(deserializer)?;
            Err(serde::de::Error::custom("never"))
        }
    }
    let schema = schema_of::<Never>().unwrap();
    assert_eq!(schema.shape, Shape::Opaque);
    assert!(schema.name.contains("Never"));
}

#[test]
fn other_names_of_a_field_are_no_fields() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Renamed {
        #[serde(alias = "zid", alias = "identifier")]
        id: u64,
        #[serde(rename = "cost")]
        price: u8,
    }
    let Shape::Struct(fields) = shape_of::<Renamed>() else { panic!("a struct") };
    assert_eq!(fields, [("id".into(), Shape::Uint(64)), ("cost".into(), Shape::Uint(8))]);
}

/// Names under which serde writes the fields of a struct.
fn written_names(value: &impl Serialize) -> Vec<String> {
    let value = serde_json::to_value(value).expect("a struct");
    value.as_object().expect("a struct").keys().cloned().collect()
}

#[test]
fn fields_keep_their_real_names_wherever_an_alias_is_sorted() {
    #[derive(Clone, Default, Serialize, Deserialize)]
    struct Aliased {
        #[serde(alias = "aid")]
        id: u64,
        #[serde(alias = "amount", alias = "cost", alias = "zost")]
        price: u8,
        #[serde(rename = "tag", alias = "label")]
        name: String,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Event {
        Sold {
            #[serde(alias = "a")]
            aliased: Vec<Aliased>,
        },
    }
    let Shape::Struct(fields) = shape_of::<Aliased>() else { panic!("a struct") };
    let expected = [("id", Shape::Uint(64)), ("price", Shape::Uint(8)), ("tag", Shape::String)];
    assert_eq!(fields, expected.clone().map(|(name, shape)| (name.to_owned(), shape)));
    assert_eq!(written_names(&Aliased::default()), expected.map(|(name, _)| name));
    let Shape::Enum(variants) = shape_of::<Event>() else { panic!("an enum") };
    let Shape::Struct(sold) = &variants[0].1 else { panic!("{variants:?}") };
    let [(name, Shape::Sequence(element))] = sold.as_slice() else { panic!("{sold:?}") };
    assert_eq!(name, "aliased");
    assert_eq!(**element, Shape::Struct(fields));
}

fn is_none(value: &Option<u8>) -> bool {
    value.is_none()
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

mod refused {
    use super::*;

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    pub enum Tagged {
        A { x: u8 },
        B,
    }

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "value")]
    pub enum Adjacent {
        A { x: u8 },
        B,
    }

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(untagged)]
    pub enum Untagged {
        A(u8),
        B(String),
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct Inner {
        pub x: u8,
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct Flattened {
        pub id: u64,
        #[serde(flatten)]
        pub inner: Inner,
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct Skipping {
        #[serde(default, skip_serializing_if = "is_none")]
        pub note: Option<u8>,
        pub a: u64,
        pub b: u64,
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct SkippingZero {
        pub a: u64,
        #[serde(default, skip_serializing_if = "is_zero")]
        pub b: u64,
    }

    /// Other names of a field cost rounds of samples in which nothing is compared.
    #[derive(Clone, Serialize, Deserialize)]
    pub struct SkippingZeroBesideAlias {
        #[serde(default, skip_serializing_if = "is_zero")]
        pub b: u64,
        #[serde(alias = "zid")]
        pub id: u64,
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct SkippingEmpty(
        pub u8,
        #[serde(default, skip_serializing_if = "Vec::is_empty")] pub Vec<u8>,
    );

    #[derive(Clone, Serialize, Deserialize)]
    pub enum InVariant {
        First,
        Second {
            #[serde(default, skip_serializing_if = "is_none")]
            note: Option<u8>,
            b: bool,
        },
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct WriteOnly {
        pub a: u64,
        #[serde(skip_deserializing)]
        pub b: u64,
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct ReadOnly {
        #[serde(skip_serializing, default)]
        pub _a: u64,
        pub b: String,
    }

    #[derive(Clone)]
    pub struct Different(pub u64);

    impl Serialize for Different {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&self.0.to_string())
        }
    }

    impl<'de> Deserialize<'de> for Different {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u64::deserialize(deserializer).map(Self)
        }
    }

    #[derive(Clone, Serialize, Deserialize)]
    pub struct Deep {
        pub id: u64,
        pub nested: Vec<Option<(u8, Untagged)>>,
    }

    /// Recursive, with the fault behind the recursion.
    #[derive(Clone, Serialize, Deserialize)]
    pub enum Tree {
        Node(Box<Tree>, Option<Box<Tree>>),
        Leaf,
        Bad(Skipping),
    }
}

#[track_caller]
fn check_refused<T: Record>(parts: &[&str]) {
    let error = schema_of::<T>().expect_err("a type that does not come back");
    assert_eq!(error.code(), "WEIR-TYPE-0003");
    let text = error.to_string();
    for part in [&[type_name::<T>(), "weir::SelfDescribing"], parts].concat() {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    assert!(!text.to_lowercase().contains("postcard"), "{text}");
}

#[test]
fn types_that_ask_the_data_for_its_type_are_refused() {
    check_refused::<refused::Tagged>(&["it asks", "#[serde(tag)]"]);
    check_refused::<refused::Untagged>(&["it asks", "#[serde(untagged)]"]);
    check_refused::<serde_json::Value>(&["it (serde_json::value::Value)"]);
    check_refused::<(u8, Vec<serde_json::Value>)>(&["its part .1[] (serde_json::value::Value)"]);
    check_refused::<refused::Deep>(&["its part .nested[].1 asks"]);
    check_refused::<refused::Adjacent>(&[]);
}

#[test]
fn flattened_structs_are_refused() {
    check_refused::<refused::Flattened>(&["it (", "Flattened)", "#[serde(flatten)]"]);
    check_refused::<Option<refused::Flattened>>(&["Flattened) is read by the names"]);
}

#[test]
fn fields_that_are_left_out_are_found_by_their_values() {
    check_refused::<refused::Skipping>(&["its part .note is left out"]);
    check_refused::<refused::SkippingZero>(&["its part .b is left out"]);
    check_refused::<refused::SkippingZeroBesideAlias>(&["its part .b is left out"]);
    check_refused::<refused::SkippingEmpty>(&[]);
    check_refused::<refused::InVariant>(&["its part ::Second.note is left out"]);
    check_refused::<Vec<(u8, refused::Skipping)>>(&["its part [].1.note is left out"]);
    check_refused::<refused::Tree>(&["its part ::Bad.note is left out"]);
}

#[test]
fn types_that_write_and_read_differently_are_refused() {
    let fields = r#"struct WriteOnly writes the fields ["a", "b"] and reads the fields ["a"]"#;
    check_refused::<refused::WriteOnly>(&[fields]);
    let fields = r#"struct ReadOnly writes the fields ["b"] and reads the fields ["_a", "b"]"#;
    check_refused::<refused::ReadOnly>(&[fields]);
    check_refused::<refused::Different>(&[]);
}

#[test]
fn a_type_that_writes_other_bytes_for_people_is_judged_by_what_the_codec_sees() {
    assert!(schema_of::<std::net::SocketAddr>().is_ok());
    assert!(schema_of::<std::time::SystemTime>().is_ok());
}

#[test]
fn good_types_are_accepted() {
    fn check<T: Record>() {
        schema_of::<T>().expect("a good type");
    }
    check::<Order>();
    check::<Event>();
    check::<HashMap<String, HashSet<(u8, Event)>>>();
    check::<VecDeque<BTreeMap<char, Result<u8, String>>>>();
    check::<(std::path::PathBuf, std::time::Duration, std::ops::Range<i128>, [u8; 32])>();
    check::<(std::num::Wrapping<u8>, std::cell::Cell<bool>, Box<str>, ())>();
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Basket<C> {
    id: u64,
    content: C,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum Choice<C> {
    Nothing,
    Some(u8, C),
}

/// Equal when they hold the same elements; keeps them in the order they came in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bag(Vec<u32>);

impl PartialEq for Bag {
    fn eq(&self, other: &Self) -> bool {
        BTreeSet::from_iter(&self.0) == BTreeSet::from_iter(&other.0)
    }
}

#[test]
fn keys_without_an_order_are_refused_wherever_they_are() {
    #[track_caller]
    fn check<K: Key>(parts: &[&str]) {
        let error = check_key::<K>().expect_err("no key");
        assert_eq!(error.code(), "WEIR-KEY-0001");
        for part in parts {
            assert!(error.to_string().contains(part), "{part:?} is missing in: {error}");
        }
    }
    check::<HashSet<u8>>(&["it is a std::collections::hash::set::HashSet<u8>"]);
    check::<Basket<HashSet<bool>>>(&["its part .content is a ", "HashSet<bool>"]);
    check::<Option<Vec<(u8, HashSet<String>)>>>(&["its part [].1 is a "]);
    check::<Choice<Basket<HashMap<u8, u8>>>>(&["its part ::Some.1.content is a "]);
    check::<BTreeMap<u8, u8>>(&["it is a map"]);
    check::<Choice<BTreeMap<u8, u8>>>(&["its part ::Some.1 is a map"]);
    check::<Bag>(&["the order in which its elements were added"]);
    check::<Choice<Option<Basket<Bag>>>>(&["the order in which its elements were added"]);
    check::<Choice<f32>>(&["its part ::Some.1 is a float"]);
    check::<(u8, Option<f64>)>(&["its part .1 is a float"]);
}

#[test]
fn panics_of_an_author_while_planning_are_errors_that_name_the_part() {
    /// Panics where the data is read, written, compared or dropped.
    #[derive(Clone, Debug)]
    struct Panicking<const WHERE: char>(u64);

    impl<'de, const WHERE: char> Deserialize<'de> for Panicking<WHERE> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = u64::deserialize(deserializer)?;
            assert!(WHERE != 'r', "no number for {value}");
            Ok(Self(value))
        }
    }

    impl<const WHERE: char> Serialize for Panicking<WHERE> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            assert!(WHERE != 'w', "no number for {}", self.0);
            self.0.serialize(serializer)
        }
    }

    impl<const WHERE: char> PartialEq for Panicking<WHERE> {
        fn eq(&self, other: &Self) -> bool {
            assert!(WHERE != 'c', "no number for {}", self.0);
            self.0 == other.0
        }
    }

    impl<const WHERE: char> Drop for Panicking<WHERE> {
        fn drop(&mut self) {
            assert!(WHERE != 'd' || std::thread::panicking(), "no number for {}", self.0);
        }
    }

    let message = "panicked on a sample: no number for 0";
    let part = "its part .1.content";
    check_refused::<(u8, Basket<Panicking<'r'>>)>(&[message, part, "its Deserialize"]);
    check_refused::<(u8, Basket<Panicking<'w'>>)>(&[message, part, "its Serialize"]);
    check_refused::<(u8, Basket<Panicking<'d'>>)>(&[message, "its Drop"]);
    schema_of::<Panicking<'c'>>().expect("records need not be compared");

    fn key_error<K: Key>() -> String {
        let error = check_key::<K>().expect_err("no key");
        assert_eq!(error.code(), "WEIR-KEY-0001");
        error.to_string()
    }
    assert!(key_error::<Vec<Panicking<'c'>>>().contains("its PartialEq panicked on a sample"));
    for error in [key_error::<Panicking<'r'>>(), key_error::<Panicking<'w'>>()] {
        assert!(error.contains(message), "{error}");
    }

    let error = check_elements(&[Even(2), Even(3)]).expect_err("it panics");
    assert_eq!(error.code(), "WEIR-TYPE-0003");
    assert!(error.to_string().contains("element 2 of type "), "{error}");
    assert!(error.to_string().contains("a panic: 3 is odd"), "{error}");
}

/// Its samples are even, or refused.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "u64")]
struct Even(u64);

impl TryFrom<u64> for Even {
    type Error = &'static str;

    fn try_from(value: u64) -> Result<Self, &'static str> {
        if value.is_multiple_of(2) { Ok(Self(value)) } else { Err("odd") }
    }
}

impl Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0.is_multiple_of(2), "{} is odd", self.0);
        self.0.serialize(serializer)
    }
}

#[test]
fn keys_with_an_order_are_accepted() {
    fn check<K: Key>() {
        check_key::<K>().expect("a good key");
    }
    check::<BTreeSet<(u8, String)>>();
    check::<Choice<Basket<Vec<Option<Event>>>>>();
    check::<Vec<BTreeSet<bool>>>();
    check::<VecDeque<char>>();
    check::<Expression>();
    check::<(Text, [u8; 16], std::net::IpAddr)>();
}

#[test]
fn elements_without_an_order_are_no_part_of_a_program() {
    let error = check_elements::<(u8, Basket<HashSet<u8>>)>(&[]).expect_err("no order");
    assert_eq!(error.code(), "WEIR-TYPE-0004");
    assert!(error.to_string().contains("its part .1.content is a std::"), "{error}");
    check_elements::<Basket<BTreeSet<u8>>>(&[]).expect("an order");
}

/// Keeps the order in which elements were added, and ignores it when it compares: as the type of
/// this name in the crate `indexmap`.
#[derive(Clone, Debug)]
struct IndexSet<T>(Vec<T>);

impl<T: PartialEq> PartialEq for IndexSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|element| other.0.contains(element))
    }
}

impl<T: Serialize> Serialize for IndexSet<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for IndexSet<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = IndexSet<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a set")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut elements: A,
            ) -> Result<IndexSet<T>, A::Error> {
                let mut set = IndexSet(Vec::new());
                while let Some(element) = elements.next_element()? {
                    set.0.push(element);
                }
                Ok(set)
            }
        }
        deserializer.deserialize_seq(Visitor(std::marker::PhantomData))
    }
}

#[test]
fn sets_that_keep_their_order_are_elements_and_no_keys() {
    check_elements::<Basket<IndexSet<u8>>>(&[]).expect("its order is the same in every run");
    let error = check_key::<Basket<IndexSet<u8>>>().expect_err("no key");
    assert_eq!(error.code(), "WEIR-KEY-0001");
    assert!(error.to_string().contains("its part .content is a "), "{error}");
}
