//! The query parameters that filter lists, parsed as YARN does: names of states in upper or lower case; several
//! values are separated by commas, or the parameter is repeated.

use crate::error::codes;
use actix_web::web::Query;
use std::collections::BTreeSet;
use weir_protocol::{
    cluster::FinalStatus,
    rest::yarn::{ApplicationState, NodeState},
};
use weir_resource_manager_brain::{ApplicationView, NodeView};
use weir_service::ApiError;

/// `name=value` pairs of a query, in order.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn read(query: &str) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::from_query(query);
        pairs.map(|pairs| Self(pairs.into_inner())).map_err(|error| bad(&error.to_string()))
    }

    /// All values of a parameter, split at commas.
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(other, _)| other == name);
        let values = pairs.flat_map(|(_, value)| value.split(',')).map(str::trim);
        values.filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.values(name).next().map(str::to_owned)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |value: &str| {
            value.parse().map_err(|_| bad(&format!("{name}={value}: write a number of 0 or more")))
        };
        self.values(name).next().map(parse).transpose()
    }

    fn parsed<T: std::str::FromStr<Err = String> + Ord>(
        &self,
        name: &str,
    ) -> Result<BTreeSet<T>, ApiError> {
        self.values(name).map(|value| value.parse().map_err(|error: String| bad(&error))).collect()
    }
}

fn bad(problem: &str) -> ApiError {
    ApiError::bad_request(codes::BAD_QUERY, format!("the query is wrong: {problem}"))
}

/// The filter of a list of applications.
#[derive(Debug, Default)]
pub struct Applications {
    states: BTreeSet<ApplicationState>,
    final_status: Option<FinalStatus>,
    user: Option<String>,
    queue: Option<String>,
    name: Option<String>,
    types: BTreeSet<String>,
    tags: BTreeSet<String>,
    started_ms: (Option<u64>, Option<u64>),
    finished_ms: (Option<u64>, Option<u64>),
    limit: Option<usize>,
}

impl Applications {
    /// Parses a query.
    ///
    /// # Errors
    /// A parameter is not valid.
    pub fn read(query: &str) -> Result<Self, ApiError> {
        let pairs = Pairs::read(query)?;
        let mut states: BTreeSet<ApplicationState> = pairs.parsed("states")?;
        states.extend(pairs.parsed::<ApplicationState>("state")?);
        let lower = |name| pairs.values(name).map(str::to_lowercase).collect();
        let range = |from, to| Ok::<_, ApiError>((pairs.number(from)?, pairs.number(to)?));
        let limit = pairs.number("limit")?;
        if limit == Some(0) {
            return Err(bad("limit=0: write a number of 1 or more"));
        }
        Ok(Self {
            states,
            final_status: pairs.values("finalStatus").next().map(final_status).transpose()?,
            user: pairs.text("user"),
            queue: pairs.text("queue"),
            name: pairs.text("name"),
            types: lower("applicationTypes"),
            tags: lower("applicationTags"),
            started_ms: range("startedTimeBegin", "startedTimeEnd")?,
            finished_ms: range("finishedTimeBegin", "finishedTimeEnd")?,
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        })
    }

    /// The applications that match, the newest first.
    pub fn pick<'a>(
        &'a self,
        all: impl DoubleEndedIterator<Item = &'a ApplicationView> + 'a,
    ) -> impl Iterator<Item = &'a ApplicationView> + 'a {
        all.rev()
            .filter(|application| self.wants(application))
            .take(self.limit.unwrap_or(usize::MAX))
    }

    fn wants(&self, application: &ApplicationView) -> bool {
        let submission = &application.submission;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let within = |(from, to): (Option<u64>, Option<u64>), at: u64| {
            from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to)
        };
        let has_tag = |tag: &String| self.tags.contains(&tag.to_lowercase());
        (self.states.is_empty() || self.states.contains(&application.yarn_state))
            && self.final_status.is_none_or(|wanted| wanted == application.final_status)
            && is(&self.user, &submission.user)
            && is(&self.queue, &submission.queue)
            && is(&self.name, &submission.name)
            && (self.types.is_empty()
                || self.types.contains(&submission.application_type.to_lowercase()))
            && (self.tags.is_empty() || submission.tags.iter().any(has_tag))
            && within(self.started_ms, application.submitted_wall_ms)
            && within(self.finished_ms, application.ended_wall_ms.unwrap_or(0))
    }
}

fn final_status(word: &str) -> Result<FinalStatus, ApiError> {
    match word.to_ascii_uppercase().as_str() {
        "UNDEFINED" => Ok(FinalStatus::Undefined),
        "SUCCEEDED" => Ok(FinalStatus::Succeeded),
        "FAILED" => Ok(FinalStatus::Failed),
        "KILLED" => Ok(FinalStatus::Killed),
        _ => Err(bad(&format!(
            "{word:?} is not a final status (valid are UNDEFINED, SUCCEEDED, FAILED, KILLED)"
        ))),
    }
}

/// The filter of the application statistics.
#[derive(Debug)]
pub struct Statistics {
    states: BTreeSet<ApplicationState>,
    kind: Option<String>,
}

impl Statistics {
    /// Parses a query.
    ///
    /// # Errors
    /// A parameter is not valid, or there is more than one application type. YARN refuses that, too.
    pub fn read(query: &str) -> Result<Self, ApiError> {
        let pairs = Pairs::read(query)?;
        let kinds: BTreeSet<_> = pairs.values("applicationTypes").collect();
        if kinds.len() > 1 {
            return Err(bad("applicationTypes: write one"));
        }
        let kind = kinds.first().filter(|kind| **kind != "*").map(|kind| (*kind).to_owned());
        Ok(Self { states: pairs.parsed("states")?, kind })
    }

    /// The application type, `*` for all.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("*")
    }

    /// The states of the query, or all states if it has none.
    pub fn states(&self) -> impl Iterator<Item = ApplicationState> {
        let is_wanted =
            |state: &ApplicationState| self.states.is_empty() || self.states.contains(state);
        ApplicationState::ALL.into_iter().filter(is_wanted)
    }

    /// Whether an application of this type is counted.
    pub fn is_of_kind(&self, kind: &str) -> bool {
        self.kind.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind))
    }
}

/// The filter of a list of nodes.
#[derive(Debug)]
pub struct Nodes(BTreeSet<NodeState>);

impl Nodes {
    /// Parses a query.
    ///
    /// # Errors
    /// A parameter is not valid.
    pub fn read(query: &str) -> Result<Self, ApiError> {
        Pairs::read(query)?.parsed("states").map(Self)
    }

    /// Whether a node matches. Without states all nodes match, as in YARN.
    pub fn wants(&self, node: &NodeView) -> bool {
        self.0.is_empty() || self.0.contains(&node.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::ApplicationId;
    use weir_resource_manager_brain::{ApplicationLife, ApplicationSpec};

    fn application(sequence: u32, yarn_state: ApplicationState) -> ApplicationView {
        let id = ApplicationId { cluster_timestamp: 1, sequence };
        let submission = ApplicationSpec {
            application: id,
            user: "ada".to_owned(),
            application_type: "WEIR".to_owned(),
            tags: vec!["weir-job:0a".to_owned()],
            ..ApplicationSpec::default()
        };
        ApplicationView {
            application: id,
            submission,
            state: ApplicationLife::Running,
            yarn_state,
            final_status: FinalStatus::Undefined,
            diagnostics: String::new(),
            progress: 0.0,
            submitted_wall_ms: 100 * u64::from(sequence),
            launched_wall_ms: None,
            ended_wall_ms: None,
            allocated: weir_base::Resources::default(),
            running_containers: 0,
            memory_mib_seconds: 0,
            vcore_seconds: 0,
            pending: Vec::new(),
            attempts: Vec::new(),
        }
    }

    fn picked(query: &str) -> Vec<u32> {
        let all = [
            application(1, ApplicationState::Finished),
            application(2, ApplicationState::Running),
            application(3, ApplicationState::Accepted),
        ];
        let filter = Applications::read(query).expect("a query");
        filter.pick(all.iter()).map(|application| application.application.sequence).collect()
    }

    #[test]
    fn parameters_narrow_the_list() {
        for (query, expected) in [
            ("", vec![3, 2, 1]),
            ("limit=2", vec![3, 2]),
            ("states=running,ACCEPTED", vec![3, 2]),
            ("states=RUNNING&states=FINISHED", vec![2, 1]),
            ("state=FINISHED", vec![1]),
            ("user=ada&applicationTypes=weir", vec![3, 2, 1]),
            ("user=grace", vec![]),
            ("applicationTags=WEIR-JOB:0A", vec![3, 2, 1]),
            ("applicationTags=other", vec![]),
            ("startedTimeBegin=200&startedTimeEnd=200", vec![2]),
            ("finalStatus=succeeded", vec![]),
            ("deSelects=resourceRequests", vec![3, 2, 1]),
        ] {
            assert_eq!(picked(query), expected, "{query}");
        }
    }

    #[test]
    fn invalid_filters_are_refused() {
        for query in ["states=ASLEEP", "limit=0", "limit=-1", "finalStatus=x", "startedTimeEnd=x"] {
            let error = Applications::read(query).expect_err(query);
            assert_eq!((error.status(), error.code()), (400, codes::BAD_QUERY), "{query}");
        }
    }
}
