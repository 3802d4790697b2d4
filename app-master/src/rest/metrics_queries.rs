//! Every `/metrics` of Flink's interface: names alone without `get=`, values with it, aggregates over
//! subtasks and task managers.

use super::{
    Paths,
    extract::{Answer, BAD_PARAMETER, Job, Now, Vertex},
    metrics::{self, Sample, Value, part},
    statistics::skew,
    task_managers,
    vertices::subtask_of_path,
};
use crate::observed::{ManagerReading, Reading, SubtaskReading, VertexReading};
use actix_web::{HttpRequest, web::Query};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use weir_protocol::rest::flink::metrics::{AggregatedMetric, Metric};
use weir_service::ApiError;

pub(super) fn configure(paths: &mut Paths) {
    const VERTEX: &str = "/jobs/{jobid}/vertices/{vertexid}";
    paths.get("/jobs/metrics", jobs);
    paths.get("/jobs/{jobid}/metrics", job);
    paths.get(&format!("{VERTEX}/metrics"), vertex);
    paths.get(&format!("{VERTEX}/subtasks/metrics"), subtasks);
    paths.get(&format!("{VERTEX}/subtasks/{{subtaskindex}}/metrics"), subtask);
    paths.get("/jobmanager/metrics", job_manager);
    paths.get("/taskmanagers/metrics", of_task_managers);
    paths.get("/taskmanagers/{taskmanagerid}/metrics", task_manager);
}

/// Query of metrics.
pub(super) enum Ask<'a> {
    /// Their names.
    Names,
    /// The values of these, separated by commas.
    These(&'a str),
    /// The values of all.
    Everything,
}

/// The query.
#[derive(Deserialize)]
struct Wanted {
    get: Option<String>,
    agg: Option<String>,
    /// `0-2,5`
    subtasks: Option<String>,
    taskmanagers: Option<String>,
}

impl Wanted {
    fn ask(&self) -> Ask<'_> {
        self.get.as_deref().map_or(Ask::Names, Ask::These)
    }

    fn aggregates(&self) -> Result<Aggregates, ApiError> {
        self.agg.as_deref().map_or(Ok(Aggregates::all()), Aggregates::parse)
    }
}

async fn job(job: Job, wanted: Query<Wanted>) -> Answer<Vec<Metric>> {
    Answer(job_metrics(&job.0, &wanted.ask()))
}

async fn jobs(now: Now, wanted: Query<Wanted>) -> Result<Answer<Vec<AggregatedMetric>>, ApiError> {
    let each = [named(metrics::of_job(&now.0))];
    Ok(Answer(aggregated(&each, &wanted.ask(), &wanted.aggregates()?)))
}

async fn vertex(vertex: Vertex, wanted: Query<Wanted>) -> Answer<Vec<Metric>> {
    Answer(vertex_metrics(vertex.get(), &wanted.ask()))
}

async fn subtask(
    request: HttpRequest,
    vertex: Vertex,
    wanted: Query<Wanted>,
) -> Result<Answer<Vec<Metric>>, ApiError> {
    let subtask = subtask_of_path(&request, vertex.get())?;
    Ok(Answer(pick(&of_subtask(vertex.get(), subtask), &wanted.ask())))
}

async fn subtasks(
    vertex: Vertex,
    wanted: Query<Wanted>,
) -> Result<Answer<Vec<AggregatedMetric>>, ApiError> {
    let chosen = wanted.subtasks.as_deref().map(ranges).transpose()?;
    let is_chosen = |subtask: &&SubtaskReading| {
        chosen.as_ref().is_none_or(|chosen| {
            chosen.iter().any(|(first, last)| (*first..=*last).contains(&subtask.subtask))
        })
    };
    let subtasks = vertex.get().subtasks.iter().filter(is_chosen);
    let each: Vec<_> = subtasks.map(|subtask| of_subtask(vertex.get(), subtask)).collect();
    Ok(Answer(aggregated(&each, &wanted.ask(), &wanted.aggregates()?)))
}

async fn job_manager(now: Now, wanted: Query<Wanted>) -> Answer<Vec<Metric>> {
    Answer(job_manager_metrics(&now.0, &wanted.ask()))
}

async fn of_task_managers(
    now: Now,
    wanted: Query<Wanted>,
) -> Result<Answer<Vec<AggregatedMetric>>, ApiError> {
    let chosen = wanted.taskmanagers.as_deref();
    let is_chosen = |manager: &&ManagerReading| {
        let id = manager.info.container.to_string();
        chosen.is_none_or(|chosen| chosen.split(',').any(|one| one == id))
    };
    let shown = task_managers::shown(&now.0).filter(is_chosen);
    let each: Vec<_> = shown.map(|manager| named(metrics::of_task_manager(manager))).collect();
    Ok(Answer(aggregated(&each, &wanted.ask(), &wanted.aggregates()?)))
}

async fn task_manager(
    request: HttpRequest,
    now: Now,
    wanted: Query<Wanted>,
) -> Result<Answer<Vec<Metric>>, ApiError> {
    let manager = task_managers::manager_of_path(&request, &now.0)?;
    Ok(Answer(task_manager_metrics(manager, &wanted.ask())))
}

/// `<subtask>.<metric>` and `<subtask>.<operator>.<metric>`.
pub(super) fn vertex_metrics(vertex: &VertexReading, ask: &Ask) -> Vec<Metric> {
    let each = vertex.subtasks.iter().flat_map(|subtask| {
        let index = subtask.subtask;
        let samples = of_subtask(vertex, subtask).into_iter();
        samples.map(move |(name, value)| (format!("{index}.{name}"), value))
    });
    pick(&each.collect(), ask)
}

/// Over all subtasks of a vertex, with every aggregate.
pub(super) fn subtasks_metrics(vertex: &VertexReading, ask: &Ask) -> Vec<AggregatedMetric> {
    let subtasks = vertex.subtasks.iter();
    let each: Vec<_> = subtasks.map(|subtask| of_subtask(vertex, subtask)).collect();
    aggregated(&each, ask, &Aggregates::all())
}

pub(super) fn job_metrics(reading: &Reading, ask: &Ask) -> Vec<Metric> {
    pick(&named(metrics::of_job(reading)), ask)
}

pub(super) fn job_manager_metrics(reading: &Reading, ask: &Ask) -> Vec<Metric> {
    pick(&named(metrics::of_job_manager(reading)), ask)
}

pub(super) fn task_manager_metrics(manager: &ManagerReading, ask: &Ask) -> Vec<Metric> {
    pick(&named(metrics::of_task_manager(manager)), ask)
}

type Values = BTreeMap<String, Value>;

fn named(samples: Vec<Sample>) -> Values {
    samples.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `<metric>` and `<operator>.<metric>`.
fn of_subtask(vertex: &VertexReading, subtask: &SubtaskReading) -> Values {
    let mut values = named(metrics::of_task(vertex, subtask));
    for (operator, samples) in metrics::of_operators(vertex, subtask) {
        let operator = part(operator);
        values
            .extend(samples.into_iter().map(|(name, value)| (format!("{operator}.{name}"), value)));
    }
    values
}

/// The requested metrics; unknown names are left out.
fn pick(values: &Values, ask: &Ask) -> Vec<Metric> {
    let alone = |id: &String| Metric { id: id.clone(), value: None };
    let with_value =
        |(id, value): (&String, &Value)| Metric { id: id.clone(), value: Some(value.to_string()) };
    match ask {
        Ask::Names => values.keys().map(alone).collect(),
        Ask::Everything => values.iter().map(with_value).collect(),
        Ask::These(names) => {
            names.split(',').filter_map(|name| values.get_key_value(name)).map(with_value).collect()
        }
    }
}

/// The requested metrics over several subjects; unknown names are left out.
fn aggregated(each: &[Values], ask: &Ask, chosen: &Aggregates) -> Vec<AggregatedMetric> {
    let names = || each.iter().flat_map(BTreeMap::keys).map(String::as_str);
    let one = |name: &str| {
        let values = each.iter().filter_map(|values| values.get(name));
        let values: Vec<f64> = values.map(|value| value.number()).collect();
        (!values.is_empty()).then(|| chosen.of(name, &values))
    };
    let alone = |name: &str| AggregatedMetric { id: name.to_owned(), ..Default::default() };
    match ask {
        Ask::Names => names().collect::<BTreeSet<_>>().into_iter().map(alone).collect(),
        Ask::Everything => names().collect::<BTreeSet<_>>().into_iter().filter_map(one).collect(),
        Ask::These(names) => names.split(',').filter_map(one).collect(),
    }
}

/// The requested aggregates.
struct Aggregates(Vec<String>);

impl Aggregates {
    const ALL: [&str; 5] = ["min", "max", "avg", "sum", "skew"];

    fn all() -> Self {
        Self(Self::ALL.map(str::to_owned).to_vec())
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        let chosen: Vec<String> = text.split(',').map(str::to_ascii_lowercase).collect();
        match chosen.iter().find(|name| !Self::ALL.contains(&name.as_str())) {
            None => Ok(Self(chosen)),
            Some(unknown) => Err(ApiError::bad_request(
                BAD_PARAMETER,
                format!("agg={unknown} is no aggregate; there are {}", Self::ALL.join(", ")),
            )),
        }
    }

    fn of(&self, name: &str, values: &[f64]) -> AggregatedMetric {
        let wants = |name: &str| self.0.iter().any(|wanted| wanted == name);
        let sum: f64 = values.iter().sum();
        let over = |merge: fn(f64, f64) -> f64| values.iter().copied().reduce(merge);
        AggregatedMetric {
            id: name.to_owned(),
            min: over(f64::min).filter(|_| wants("min")),
            max: over(f64::max).filter(|_| wants("max")),
            avg: wants("avg").then(|| sum / values.len() as f64),
            sum: wants("sum").then_some(sum),
            skew: wants("skew").then(|| skew(values)),
        }
    }
}

/// `0-2,5` as ranges.
fn ranges(text: &str) -> Result<Vec<(u32, u32)>, ApiError> {
    let one = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
    };
    text.split(',').map(one).collect::<Option<_>>().ok_or_else(|| {
        let problem = format!("subtasks={text} is no list of subtasks; write for example 0-2,5");
        ApiError::bad_request(BAD_PARAMETER, problem)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn names_come_without_get_and_unknown_ones_are_left_out() {
        let reading = fixture::reading();
        let vertex = &reading.vertices[0];
        let names = vertex_metrics(vertex, &Ask::Names);
        assert!(names.iter().all(|metric| metric.value.is_none()));
        let has = |id: &str| names.iter().any(|metric| metric.id == id);
        assert!(has("0.numRecordsIn") && has("1.busyTimeMsPerSecond"));
        assert!(has("0.read_<lines>.numRecordsOut"), "{names:?}");
        let these = Ask::These("1.numRecordsIn,nonsense,7.numRecordsIn");
        let value = Some("100".to_owned());
        let expected = [Metric { id: "1.numRecordsIn".to_owned(), value }];
        assert_eq!(vertex_metrics(vertex, &these), expected);
        let everything = vertex_metrics(vertex, &Ask::Everything);
        assert_eq!(everything.len(), names.len());
        assert!(everything.iter().all(|metric| metric.value.is_some()));
    }

    #[test]
    fn aggregates_are_those_that_are_asked_for() {
        let mut reading = fixture::reading();
        let counts = reading.vertices[1].subtasks[0].counts.as_mut().expect("there are");
        counts.operators[0].records_in = 3000;
        let vertex = &reading.vertices[1];
        let each: Vec<_> =
            vertex.subtasks.iter().map(|subtask| of_subtask(vertex, subtask)).collect();
        let ask = |agg: &Aggregates| aggregated(&each, &Ask::These("numRecordsIn,x"), agg);
        let [all] = ask(&Aggregates::all()).try_into().expect("one is known");
        assert_eq!((all.min, all.max, all.avg), (Some(1000.0), Some(3000.0), Some(2000.0)));
        assert_eq!((all.sum, all.skew), (Some(4000.0), Some(50.0)));
        let some = Aggregates::parse("max,Skew").expect("both are known");
        let [some] = ask(&some).try_into().expect("one is known");
        assert_eq!((some.min, some.max, some.sum), (None, Some(3000.0), None));
        assert!(Aggregates::parse("median").is_err());
        let names = aggregated(&each, &Ask::Names, &Aggregates::all());
        assert!(names.iter().all(|metric| metric.max.is_none()));
        assert_eq!(aggregated(&each, &Ask::Everything, &Aggregates::all()).len(), names.len());
    }

    #[test]
    fn subtasks_are_chosen_by_ranges() {
        assert_eq!(ranges("0-2,5").expect("fine"), [(0, 2), (5, 5)]);
        for bad in ["", "a", "1-", "-1", "1,,2", "4294967296"] {
            assert!(ranges(bad).is_err(), "{bad:?}");
        }
    }
}
