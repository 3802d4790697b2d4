//! Where failures were: the brain says what failed, the task managers say in which container,
//! and the two are matched by task and time.

use std::collections::VecDeque;
use weir_base::{ContainerId, ExecutionAttempt, Failure};
use weir_coordination::job_master::{FailureEpisode, FailureRecord};
use weir_graph::{JobGraph, TaskId};

/// Places of failures that are remembered besides one per task.
const MAX_PLACES: usize = 64;
/// The end of a log that is kept with a failure, in bytes.
const MAX_EXCERPT_BYTES: usize = 16 * 1024;
/// The longest time between the reports of a failure and of its place, in milliseconds.
const MATCH_WITHIN_MS: u64 = 10_000;

/// A failure and where it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureReading {
    /// When the job master got the report, in milliseconds since 1970.
    pub wall_ms: u64,
    pub failure: Failure,
    /// The container, if one is to blame.
    pub container: Option<ContainerId>,
    /// `host:port` of its task host.
    pub endpoint: Option<String>,
    /// The end of the container's log.
    pub excerpt: Option<String>,
    /// The subtask at the other end of the connection that was lost: `Map (1/2)`.
    pub lost_peer: Option<String>,
}

/// A failure that interrupted the job, and the failures that followed from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpisodeReading {
    /// The cause.
    pub root: FailureReading,
    /// Other failures of the episode, as far as they are kept.
    pub consequences: Vec<FailureReading>,
    /// How many there are.
    pub consequence_count: u32,
}

impl FailureReading {
    /// Whether it was in a container whose log is yet to come.
    pub(super) fn awaits_excerpt(&self) -> bool {
        self.container.is_some() && self.excerpt.is_none()
    }
}

#[derive(Debug)]
struct PlaceOfFailure {
    task: TaskId,
    attempt: ExecutionAttempt,
    container: ContainerId,
    endpoint: Option<String>,
    wall_ms: u64,
    excerpt: Option<String>,
}

/// The places of the latest failures.
#[derive(Debug)]
pub(super) struct Failures {
    /// By index of a vertex: name and parallelism, for `Map (1/2)`.
    vertices: Vec<(String, u32)>,
    places: VecDeque<PlaceOfFailure>,
    limit: usize,
}

impl Failures {
    pub(super) fn new(graph: &JobGraph) -> Self {
        let vertex = |vertex: &weir_graph::JobVertex| (vertex.name.clone(), vertex.parallelism);
        Self {
            vertices: graph.vertices.iter().map(vertex).collect(),
            places: VecDeque::new(),
            limit: MAX_PLACES + graph.task_count(),
        }
    }

    pub(super) fn failed_at(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        container: ContainerId,
        endpoint: Option<String>,
        wall_ms: u64,
    ) {
        let place = PlaceOfFailure { task, attempt, container, endpoint, wall_ms, excerpt: None };
        self.places.push_front(place);
        self.places.truncate(self.limit);
    }

    pub(super) fn excerpt(&mut self, task: TaskId, attempt: ExecutionAttempt, excerpt: String) {
        let mut places = self.places.iter_mut();
        let place = places.find(|place| place.task == task && place.attempt == attempt);
        if let Some(place) = place {
            place.excerpt = Some(tail(excerpt));
        }
    }

    /// A failure with its place, where one is known.
    pub(super) fn locate(&self, record: &FailureRecord) -> FailureReading {
        let FailureRecord { wall_ms, failure, lost_peer } = record;
        let place = self.place_of(failure, *wall_ms);
        FailureReading {
            wall_ms: *wall_ms,
            failure: failure.clone(),
            lost_peer: lost_peer.clone(),
            container: place.map(|place| place.container),
            endpoint: place.and_then(|place| place.endpoint.clone()),
            excerpt: place.and_then(|place| place.excerpt.clone()),
        }
    }

    pub(super) fn locate_all(&self, episode: &FailureEpisode) -> EpisodeReading {
        EpisodeReading {
            root: self.locate(&episode.root),
            consequences: episode.consequences.iter().map(|one| self.locate(one)).collect(),
            consequence_count: episode.consequence_count(),
        }
    }

    fn place_of(&self, failure: &Failure, wall_ms: u64) -> Option<&PlaceOfFailure> {
        let blamed = failure.task.as_deref()?;
        let (_, nearest) = self
            .places
            .iter()
            .filter(|place| self.display_name(place.task).as_deref() == Some(blamed))
            .map(|place| (place.wall_ms.abs_diff(wall_ms), place))
            .filter(|(apart_ms, _)| *apart_ms <= MATCH_WITHIN_MS)
            .min_by_key(|(apart_ms, _)| *apart_ms)?;
        Some(nearest)
    }

    /// `Map (1/2)`, as the brain says it.
    fn display_name(&self, task: TaskId) -> Option<String> {
        let (name, parallelism) = self.vertices.get(task.vertex as usize)?;
        Some(format!("{name} ({}/{parallelism})", task.subtask + 1))
    }
}

/// The last part of a text that is too long, cut between two characters.
fn tail(text: String) -> String {
    let Some(mut start) = text.len().checked_sub(MAX_EXCERPT_BYTES) else { return text };
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{FailureOrigin, VertexId};
    use weir_graph::JobVertex;

    const TASK: TaskId = TaskId { vertex: 0, subtask: 1 };

    fn failures() -> Failures {
        let vertex = JobVertex {
            id: VertexId::of_text("map"),
            name: "Map".to_owned(),
            parallelism: 2,
            max_parallelism: 128,
            operators: Vec::new(),
            chain: Vec::new(),
            coordinator: false,
        };
        Failures::new(&JobGraph { vertices: vec![vertex], ..JobGraph::default() })
    }

    fn record(task: Option<&str>, wall_ms: u64) -> FailureRecord {
        let failure = Failure {
            code: "WEIR-TASK-0001".to_owned(),
            message: "it broke".to_owned(),
            origin: FailureOrigin::User,
            task: task.map(str::to_owned),
            operator: None,
        };
        FailureRecord { wall_ms, failure, lost_peer: None }
    }

    fn container(sequence: u64) -> ContainerId {
        ContainerId { sequence, ..ContainerId::default() }
    }

    #[test]
    fn each_failure_of_a_task_is_matched_with_the_place_nearest_in_time() {
        let mut failures = failures();
        for (attempt, sequence, wall_ms) in [(1, 2, 1_000), (2, 3, 5_000)] {
            let endpoint = Some(format!("node:{sequence}"));
            let attempt = ExecutionAttempt(attempt);
            failures.failed_at(TASK, attempt, container(sequence), endpoint, wall_ms);
        }
        failures.excerpt(TASK, ExecutionAttempt(2), "thread panicked".to_owned());
        for (task, wall_ms, expected, excerpt) in [
            (Some("Map (2/2)"), 1_003, Some(2), None),
            (Some("Map (2/2)"), 4_900, Some(3), Some("thread panicked")),
            (Some("Map (1/2)"), 1_003, None, None),
            (Some("Map (2/2)"), 60_000, None, None),
            (None, 1_000, None, None),
        ] {
            let found = failures.locate(&record(task, wall_ms));
            assert_eq!(found.container, expected.map(container), "{task:?} at {wall_ms}");
            assert_eq!(found.excerpt.as_deref(), excerpt);
            assert_eq!(found.awaits_excerpt(), expected.is_some() && excerpt.is_none());
        }
    }

    #[test]
    fn long_logs_are_cut_at_the_front_between_characters() {
        let long = "é".repeat(MAX_EXCERPT_BYTES) + "x";
        let cut = tail(long);
        assert!(cut.len() <= MAX_EXCERPT_BYTES && cut.ends_with("éx"));
        assert_eq!(tail("short".to_owned()), "short");
    }
}
