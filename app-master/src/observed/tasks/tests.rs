//! Tables: reports in, rates out; views in, times out.

use super::*;
use crate::rest::fixture;
use weir_base::JobId;
use weir_coordination::{JobMaster, job_master::StatusTime};

const TASK: TaskId = TaskId { vertex: 1, subtask: 0 };

/// A report of a task with this age, backpressured time and number of emitted records.
fn report(attempt: u64, age_ms: u64, backpressured_ms: u64, records_out: u64) -> TaskCounters {
    TaskCounters {
        task: TASK,
        attempt: ExecutionAttempt(attempt),
        operators: vec![OperatorCounters { records_in: 0, records_out }],
        bytes_in: 0,
        bytes_out: records_out * 10,
        busy_us: (age_ms - backpressured_ms) * 1000,
        backpressured_us: backpressured_ms * 1000,
        idle_us: 0,
        watermark: Some(7),
    }
}

fn tasks() -> Tasks {
    Tasks::new(&fixture::graph())
}

fn counts(tasks: &Tasks) -> Counts {
    tasks.reading(TASK).expect("it is shown").counts.expect("it has reported")
}

/// A view in which the task and the job are in these states since then.
fn view(attempt: u64, state: ExecutionState, since_ms: u64, created_ms: u64) -> JobView {
    let mut view = JobMaster::new(fixture::graph(), fixture::settings()).view();
    view.job = JobId::default();
    view.status_times = vec![StatusTime { status: JobStatus::Created, wall_ms: created_ms }];
    for (index, vertex) in (0u32..).zip(&mut view.vertices) {
        vertex.subtasks = (0..vertex.parallelism)
            .map(|subtask| SubtaskView {
                subtask,
                attempt: ExecutionAttempt(attempt),
                state: if index == TASK.vertex { state } else { ExecutionState::Created },
                since_wall_ms: since_ms,
                end_of_data: false,
                abandoned: false,
            })
            .collect();
    }
    view
}

#[test]
fn rates_are_those_of_the_last_second_by_the_tasks_own_clock() {
    for (reports, records_per_s, backpressured_ms) in [
        // The first report is compared with the start of the task.
        (&[(2_000, 500, 100)][..], 50.0, 250.0),
        (&[(2_000, 500, 100), (3_000, 600, 400)], 300.0, 100.0),
        // Reports that come close together are compared with one that is a second older.
        (&[(2_000, 0, 0), (2_500, 0, 50), (3_000, 0, 100), (3_500, 500, 100)], 50.0, 500.0),
        // There was no new report.
        (&[(2_000, 500, 100), (2_000, 500, 100)], 50.0, 250.0),
    ] {
        let mut tasks = tasks();
        for (age_ms, backpressured_ms, records) in reports {
            tasks.counted(None, report(1, *age_ms, *backpressured_ms, *records));
        }
        let counts = counts(&tasks);
        assert_eq!(counts.operators[0].records_out_per_s, records_per_s, "{reports:?}");
        assert_eq!(counts.bytes_out_per_s, records_per_s * 10.0);
        assert_eq!(counts.shares.backpressured_ms, backpressured_ms, "{reports:?}");
        assert_eq!(counts.shares.busy_ms, 1000.0 - backpressured_ms);
    }
}

#[test]
fn reports_of_an_older_deployment_are_ignored() {
    let mut tasks = tasks();
    tasks.counted(None, report(2, 2_000, 0, 100));
    tasks.counted(None, report(1, 9_000, 0, 900));
    assert_eq!(counts(&tasks).operators[0].records_out, 100);
    tasks.counted(None, report(3, 1_000, 0, 5));
    assert_eq!(counts(&tasks).operators[0].records_out, 5);
    assert_eq!(counts(&tasks).operators[0].records_out_per_s, 5.0);
    assert_eq!(tasks.reading(TASK).map(|task| task.attempt_number), Some(2));
}

#[test]
fn a_task_that_has_ended_keeps_its_counts_and_has_no_rate() {
    let mut tasks = tasks();
    tasks.counted(None, report(1, 2_000, 0, 100));
    tasks.fold(&view(1, ExecutionState::Finished, 900, 100), |_| None);
    let counts = counts(&tasks);
    assert_eq!(counts.operators[0].records_out, 100);
    assert_eq!(counts.operators[0].records_out_per_s, 0.0);
    assert_eq!(counts.shares, TimeShares::default());
    assert_eq!(counts.busy_ms, 2_000);
}

#[test]
fn counters_have_one_entry_per_operator_whatever_comes() {
    let mut tasks = tasks();
    let mut odd = report(1, 1_000, 0, 1);
    odd.operators = vec![OperatorCounters::default(); 1000];
    tasks.counted(None, odd);
    assert_eq!(counts(&tasks).operators.len(), 2);
    tasks.counted(
        None,
        TaskCounters { task: TaskId { vertex: 99, subtask: 0 }, ..report(1, 1, 0, 1) },
    );
    let coordinator = TaskId { vertex: 0, subtask: 0 };
    tasks.counted(None, TaskCounters { task: coordinator, ..report(1, 1, 0, 1) });
    assert_eq!(tasks.reading(coordinator), None);
}

#[test]
fn states_that_no_view_has_shown_are_filled_in() {
    use ExecutionState::{Canceled, Created, Deploying, Finished, Running};
    for (views, expected) in [
        (&[(ExecutionState::Created, 100)][..], &[(Created, 100)][..]),
        (&[(ExecutionState::Deploying, 100)], &[(Created, 100), (Deploying, 100)]),
        (&[(ExecutionState::Running, 300)], &[(Created, 100), (Deploying, 100), (Running, 300)]),
        (
            &[
                (ExecutionState::Deploying, 110),
                (ExecutionState::Running, 300),
                (ExecutionState::Finished, 700),
            ],
            &[(Created, 100), (Deploying, 110), (Running, 300), (Finished, 700)],
        ),
        (&[(ExecutionState::Canceled, 200)], &[(Created, 100), (Canceled, 200)]),
    ] {
        let mut tasks = tasks();
        for (state, since_ms) in views {
            tasks.fold(&view(1, *state, *since_ms, 100), |_| None);
        }
        let times = tasks.reading(TASK).expect("it is shown").times;
        assert_eq!(times, expected.iter().copied().collect(), "{views:?}");
    }
}

#[test]
fn a_task_runs_where_its_slot_was_when_it_was_deployed() {
    let place = |sequence| SubtaskLocation {
        container: fixture::container(sequence),
        host: "node".to_owned(),
        data_port: 4000,
    };
    let mut tasks = tasks();
    let container = |tasks: &Tasks| tasks.reading(TASK).and_then(|task| task.place);
    tasks.fold(&view(1, ExecutionState::Deploying, 100, 100), |_| None);
    assert_eq!(container(&tasks), None);
    tasks.fold(&view(1, ExecutionState::Running, 200, 100), |_| Some(place(2)));
    tasks.fold(&view(1, ExecutionState::Running, 200, 100), |_| Some(place(3)));
    assert_eq!(container(&tasks), Some(place(2)));
    tasks.fold(&view(2, ExecutionState::Deploying, 300, 300), |_| Some(place(3)));
    assert_eq!(container(&tasks), Some(place(3)));
}
