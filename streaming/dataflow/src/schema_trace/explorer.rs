//! Decides which sample a tracer gives next, so that every branch of a type is visited: each
//! variant of each enum, Some and None of each Option, an element and none of each sequence.
//!
//! A type is sampled in rounds. Every place where there is something to choose is a *point*, named
//! by its path. In each round each point that is reached takes its next choice; one that has made
//! all its choices leads to where choices are left, or repeats a choice that worked. A round in
//! which nothing new was chosen is the last one.

use super::fault::Fault;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds at most: a bound for types whose samples are always refused.
const MAX_ROUNDS: u32 = 2_000;

/// Values of one sample at most.
const MAX_VALUES: u32 = 20_000;

/// What a trace knows between rounds.
#[derive(Clone, Default)]
pub(super) struct Explorer {
    points: BTreeMap<String, Point>,
    pub path: String,
    round: u32,
    progressed: bool,
    values: u32,
    last_leaf: Option<String>,
    /// Named types being read, outermost first.
    types: Vec<&'static str>,
    /// How many of them are inside another one of the same name.
    unrolled: u32,
    recursions: u32,
    /// A variant of each enum that holds no value of a type it is inside of.
    terminal: BTreeMap<&'static str, u32>,
    /// How many of those were known when this series of rounds began.
    terminal_at_start: usize,
    /// Paths of structs and the names in them that are an alias of a field.
    aliases: BTreeSet<(String, &'static str)>,
    /// In a key's trace: which element of a sequence is being read.
    element: Option<usize>,
    /// In a key's trace: elements per sequence, and whether the last one comes first.
    wide: Option<Wide>,
    /// The map whose key is being read.
    pub map: Option<&'static str>,
    pub seen: Seen,
}

/// Sequences of several different elements.
#[derive(Clone, Copy)]
pub(super) struct Wide {
    pub elements: usize,
    pub reversed: bool,
}

/// What was met on the way.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub fault: Option<Fault>,
    /// Path and type of a set or map that has another order in each process.
    pub hash_table: Option<(String, &'static str)>,
    /// Path and type of a set or map whose order is kept but does not count in comparisons.
    pub insertion_ordered: Option<(String, &'static str)>,
    /// Path of a part with a self-describing encoding.
    pub self_describing: Option<String>,
    /// Structs by name, with the fields they were read with.
    pub structs: BTreeMap<&'static str, Vec<&'static str>>,
}

#[derive(Clone, Default)]
struct Point {
    /// Choices made so far.
    next: usize,
    /// Choices there are, but for samples of last resort.
    main: usize,
    all: usize,
    /// Choice of this round.
    current: usize,
    round: u32,
    /// A choice that was part of a whole sample.
    good: Option<usize>,
    /// A sample that the leaf itself has accepted.
    accepted: Option<usize>,
}

impl Point {
    fn is_open(&self) -> bool {
        self.next < self.main
            || (self.next < self.all && self.good.is_none() && self.accepted.is_none())
    }
}

impl Explorer {
    pub fn new(wide: Option<Wide>) -> Self {
        Self { wide, ..Self::default() }
    }

    /// Begins a round, unless there is nothing left to try.
    pub fn next_round(&mut self) -> bool {
        let goes_on = (self.round == 0 || self.progressed) && self.round < MAX_ROUNDS;
        self.round += 1;
        self.begin();
        goes_on
    }

    fn begin(&mut self) {
        self.progressed = false;
        self.values = 0;
        self.last_leaf = None;
        self.path.clear();
        self.types.clear();
        self.unrolled = 0;
        self.element = None;
        self.map = None;
    }

    /// Reads the same choices again, with every sequence the other way round.
    pub fn reversed(&self) -> Self {
        let mut again = self.clone();
        again.begin();
        again.wide = self.wide.map(|wide| Wide { reversed: !wide.reversed, ..wide });
        again
    }

    pub fn round_succeeded(&mut self) {
        for point in self.points.values_mut().filter(|point| point.round == self.round) {
            point.good = Some(point.current);
        }
    }

    /// The type refused a sample outside of a leaf: most likely because of the last one.
    pub fn round_failed(&mut self) {
        if let Some(point) = self.last_leaf.take().and_then(|path| self.points.get_mut(&path)) {
            point.accepted = None;
        }
    }

    /// Counts a value; false when there are too many.
    pub fn count_value(&mut self) -> bool {
        self.values += 1;
        self.values <= MAX_VALUES
    }

    /// Goes into a part of the value; `leave` with what is returned goes back.
    pub fn enter(&mut self, part: &str) -> usize {
        let length = self.path.len();
        self.path.push_str(part);
        length
    }

    pub fn leave(&mut self, length: usize) {
        self.path.truncate(length);
    }

    /// The path for people.
    pub fn shown_path(&self) -> String {
        self.path.replace('?', "")
    }

    /// Chooses a sample of a leaf: `main` of them in any case, others while all are refused. In a
    /// wide sequence it is the element's number instead.
    pub fn choose_leaf(&mut self, main: usize, all: usize) -> Leaf {
        if let Some(element) = self.element {
            return Leaf::Element(element);
        }
        let point = Self::point(&mut self.points, &self.path, main, all);
        if point.round != self.round {
            point.round = self.round;
            if point.is_open() {
                point.current = point.next;
                point.next += 1;
                self.progressed = true;
            } else {
                point.current = point.good.or(point.accepted).unwrap_or(0);
            }
        }
        self.last_leaf = Some(self.path.clone());
        Leaf::Sample(point.current)
    }

    pub fn leaf_accepted(&mut self) {
        if let Some(point) = self.points.get_mut(&self.path) {
            point.accepted = Some(point.current);
        }
    }

    pub fn leaf_refused(&mut self) {
        self.last_leaf = None;
    }

    /// Chooses a branch; `part(i)` is the part of the path that leads into branch `i`.
    pub fn choose_branch(&mut self, branches: usize, part: impl Fn(usize) -> String) -> usize {
        let open_below = |points: &BTreeMap<String, Point>, path: &str| {
            (0..branches).find(|branch| {
                let prefix = format!("{path}{}", part(*branch));
                let below = points.range(prefix.clone()..);
                let below = below.take_while(|(path, _)| path.starts_with(&prefix));
                below.filter(|(path, _)| lies_in(&prefix, path)).any(|(_, p)| p.is_open())
            })
        };
        let known = self.points.get(&self.path);
        let all_made = known.is_some_and(|point| point.next >= branches);
        let open = if all_made { open_below(&self.points, &self.path) } else { None };
        let point = Self::point(&mut self.points, &self.path, branches, branches);
        if point.round != self.round {
            point.round = self.round;
            if point.next < branches {
                point.current = point.next;
                point.next += 1;
                self.progressed = true;
            } else {
                point.current = open.or(point.good).unwrap_or(0);
            }
        }
        point.current
    }

    fn point<'p>(
        points: &'p mut BTreeMap<String, Point>,
        path: &str,
        main: usize,
        all: usize,
    ) -> &'p mut Point {
        if !points.contains_key(path) {
            points.insert(path.to_owned(), Point { main, all, ..Point::default() });
        }
        points.get_mut(path).expect("it was put there")
    }

    /// How many elements a sequence gets.
    pub fn choose_length(&mut self, part: &str) -> usize {
        if self.unrolled > 0 {
            return 0;
        }
        if let Some(wide) = self.wide.filter(|_| self.element.is_none()) {
            return wide.elements;
        }
        // The empty part stands for no element: nothing lies below it that does not lie above.
        1 - self.choose_branch(2, |branch| if branch == 0 { part.to_owned() } else { "!".into() })
    }

    /// Begins element `index` of a sequence; the result is for `end_element`.
    pub fn begin_element(&mut self, index: usize) -> Option<usize> {
        let before = self.element;
        if let Some(wide) = self.wide
            && before.is_none()
        {
            let last = wide.elements - 1;
            self.element = Some(if wide.reversed { last - index.min(last) } else { index });
        }
        before
    }

    pub fn end_element(&mut self, before: Option<usize>) {
        self.element = before;
    }

    /// Begins a named type. False when it is inside itself for the second time.
    pub fn begin_type(&mut self, name: &'static str) -> bool {
        if self.types.contains(&name) {
            self.recursions += 1;
            self.unrolled += 1;
        }
        self.types.push(name);
        self.types.iter().filter(|other| **other == name).count() <= 2
    }

    pub fn end_type(&mut self) {
        if let Some(name) = self.types.pop()
            && self.types.contains(&name)
        {
            self.unrolled -= 1;
        }
    }

    /// Whether a recursive type must come to an end now.
    pub fn must_end(&self) -> bool {
        self.unrolled > 0
    }

    pub fn recursions(&self) -> u32 {
        self.recursions
    }

    pub fn terminal_variant(&self, name: &str) -> Option<u32> {
        self.terminal.get(name).copied()
    }

    pub fn learn_terminal(&mut self, name: &'static str, variant: u32) {
        self.terminal.entry(name).or_insert(variant);
    }

    /// Forgets all choices but not what recursive types end with, so that branches that could not
    /// end are tried again. False if nothing about that was learned since the last start.
    pub fn start_over(&mut self) -> bool {
        let worthwhile = self.recursions > 0 && self.terminal.len() > self.terminal_at_start;
        self.terminal_at_start = self.terminal.len();
        self.points.clear();
        self.round = 0;
        self.recursions = 0;
        worthwhile
    }

    pub fn is_alias(&self, name: &'static str) -> bool {
        self.aliases.contains(&(self.path.clone(), name))
    }

    /// Notes that a name in this struct is an alias of a field. All choices are made again, because
    /// those of this round were lost with it.
    pub fn found_alias(&mut self, name: &'static str) {
        if self.aliases.insert((self.path.clone(), name)) {
            self.progressed = true;
            self.points.clear();
        }
    }
}

/// Which value a leaf gets.
#[derive(Clone, Copy)]
pub(super) enum Leaf {
    /// One from the list of samples.
    Sample(usize),
    /// One that differs from those of other elements.
    Element(usize),
}

/// Whether a path that begins with this prefix leads into it, and not into a part whose name only begins
/// alike: `::LoginFailed` does not lie in `::Login`.
fn lies_in(prefix: &str, path: &str) -> bool {
    let next = path[prefix.len()..].chars().next();
    next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
}
