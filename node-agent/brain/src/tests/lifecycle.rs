//! Single containers: start, files, kill, memory, end.

use super::*;

fn reply(sequence: u64, reply: Reply) -> Effect {
    Effect::Reply { ticket: Ticket(sequence), reply }
}

fn localizing(sequence: u64) -> Effect {
    reply(sequence, Reply::Started(report(sequence, ContainerState::Localizing, None)))
}

fn download(tag: u8) -> Effect {
    Effect::Download { hash: hash(tag), size_bytes: 10 }
}

fn downloaded(tag: u8) -> Input {
    Input::Downloaded { hash: hash(tag), result: Ok(10) }
}

fn not_downloaded(tag: u8, problem: DownloadProblem) -> Input {
    let failure = DownloadFailure { problem, message: "no such file".to_owned() };
    Input::Downloaded { hash: hash(tag), result: Err(failure) }
}

fn signal(sequence: u64, signal: Signal) -> Effect {
    Effect::Signal { container: container(sequence), signal }
}

#[test]
fn container_waits_for_its_files_runs_and_exits() {
    let mut script = Script::joined();
    assert_eq!(script.step(start(1, &[1, 2])), [download(1), download(2), localizing(1)]);
    assert_eq!(script.step(start(2, &[2])), [localizing(2)]);
    assert_eq!(script.step(downloaded(1)), []);
    let both = [Effect::Launch(launch(1, &[1, 2])), Effect::Launch(launch(2, &[2]))];
    assert_eq!(script.step(downloaded(2)), both);
    assert_eq!(script.step(downloaded(2)), [], "a repeated answer launches nothing again");
    assert_eq!(script.step(launched(1)), []);
    assert_eq!(script.step(exited(1, 3)), []);
    let reports = script.reports();
    assert_eq!(reports[0], report(1, ContainerState::Complete, Some(3)));
    assert_eq!(reports[1], report(2, ContainerState::Localizing, None));
}

#[test]
fn repeated_start_changes_nothing_at_any_time() {
    let mut script = Script::joined();
    let first = [Effect::Launch(launch(1, &[])), localizing(1)];
    assert_eq!(script.step(start(1, &[])), first);
    assert_eq!(script.step(start(1, &[])), [localizing(1)]);
    script.step(launched(1));
    let running = reply(1, Reply::Started(report(1, ContainerState::Running, None)));
    assert_eq!(script.step(start(1, &[])), [running]);
    script.step(exited(1, 0));
    let complete = [reply(1, Reply::Started(report(1, ContainerState::Complete, Some(0))))];
    assert_eq!(script.step(start(1, &[])), complete);
    script.answer(NodeOrders { forget: vec![container(1)], ..no_orders() });
    assert_eq!(script.step(start(1, &[])), complete, "also when it need not be reported");
}

#[test]
fn end_of_a_container_is_reported_at_once() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    let effects = script.step_all(launched(1));
    let [overtaking] = heartbeats(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((overtaking.sequence, overtaking.hold_ms), (2, 0));
    assert_eq!(overtaking.containers, [report(1, ContainerState::Running, None)]);
    assert!(heartbeats(&script.step_all(exited(1, 0))).is_empty(), "the second awaits its answer");
    let effects = script.answer_all(no_orders());
    let [next] = heartbeats(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(next.containers, [report(1, ContainerState::Complete, Some(0))]);
}

#[test]
fn file_that_cannot_be_had_fails_its_containers() {
    for (problem, exit_status) in [
        (DownloadProblem::Fatal, exit_status::INVALID),
        (DownloadProblem::DiskFull, exit_status::DISKS_FAILED),
    ] {
        let mut script = Script::joined();
        script.step(start(1, &[1]));
        assert_eq!(script.step(not_downloaded(1, problem)), []);
        let failed = ContainerReport {
            diagnostics: "no such file".to_owned(),
            ..report(1, ContainerState::Complete, Some(exit_status))
        };
        assert_eq!(script.reports(), [failed]);
        assert_eq!(script.step(start(2, &[1])), [download(1), localizing(2)], "it is tried anew");
    }
}

#[test]
fn unreachable_source_is_tried_again() {
    let mut script = Script::joined();
    script.step(start(1, &[1]));
    assert_eq!(script.step(not_downloaded(1, DownloadProblem::Transient)), []);
    assert_eq!(script.wait(99), []);
    assert_eq!(script.wait(1), [download(1)]);
    assert_eq!(script.step(downloaded(1)), [Effect::Launch(launch(1, &[1]))]);
}

#[test]
fn kill_is_term_then_after_the_delay_kill() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    assert_eq!(script.step(stop(1)), [signal(1, Signal::Term), reply(1, Reply::Stopped)]);
    assert_eq!(script.step(stop(1)), [reply(1, Reply::Stopped)]);
    assert_eq!(script.wait(249), []);
    assert_eq!(script.wait(1), [signal(1, Signal::Kill)]);
    assert_eq!(script.wait(2000), [signal(1, Signal::Kill)], "again, should it still run");
    script.step(exited(1, 137));
    assert_eq!(script.wait(10_000), []);
    let by_app_master = exit_status::KILLED_BY_APP_MASTER;
    let killed = ContainerReport {
        diagnostics: "killed by its app master".to_owned(),
        ..report(1, ContainerState::Complete, Some(by_app_master))
    };
    assert_eq!(script.reports(), [killed]);
}

#[test]
fn container_killed_before_its_process_is_there_is_signalled_when_it_is() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    assert_eq!(script.step(stop(1)), [reply(1, Reply::Stopped)]);
    assert_eq!(script.wait(10_000), []);
    assert_eq!(script.step(launched(1)), [signal(1, Signal::Term)]);
    assert_eq!(script.wait(250), [signal(1, Signal::Kill)]);
}

#[test]
fn container_killed_while_it_waits_for_files_never_starts() {
    let mut script = Script::joined();
    script.step(start(1, &[1]));
    assert_eq!(script.step(stop(1)), [reply(1, Reply::Stopped)]);
    assert_eq!(script.step(downloaded(1)), []);
    assert_eq!(script.reports()[0].exit_status, Some(exit_status::KILLED_BY_APP_MASTER));
}

#[test]
fn stop_that_arrives_before_its_start_prevents_the_start() {
    let mut script = Script::joined();
    script.step(stop(1));
    let effects = script.step(start(1, &[]));
    let [Effect::Reply { reply: Reply::Started(report), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(report.exit_status, Some(exit_status::KILLED_BY_APP_MASTER));
}

#[test]
fn what_is_above_its_lease_is_killed_with_the_number() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    let measured = |used_bytes| Input::Measured {
        containers: vec![ContainerMemory {
            container: container(1),
            used_bytes,
            largest: Some(LargestProcess {
                pid: 4711,
                name: "word-count".into(),
                used_bytes: 1 << 30,
            }),
        }],
        node_used_mib: 2000,
    };
    assert_eq!(script.step(measured(1 << 30)), [], "all of the lease may be used");
    assert_eq!(script.reports()[0].used_memory_mib, 1024);
    assert_eq!(script.step(measured((1 << 30) + 1)), [signal(1, Signal::Term)]);
    script.step(exited(1, 143));
    let report = script.reports().remove(0);
    assert_eq!(report.exit_status, Some(exit_status::KILLED_EXCEEDING_MEMORY));
    assert!(report.diagnostics.contains("used 1.01 gb of 1 gb leased"), "{}", report.diagnostics);
}

#[test]
fn unused_files_are_dropped_above_the_target() {
    let mut script = Script::joined();
    for sequence in 1..=3 {
        let tag = u8::try_from(sequence).expect("small");
        script.step(start(sequence, &[tag]));
        assert_eq!(script.step(downloaded(tag)).len(), 1, "a used file stays above the target");
        script.step(launched(sequence));
    }
    assert_eq!(script.step(exited(2, 0)), [Effect::DeleteCached(hash(2))]);
    assert_eq!(script.step(exited(1, 0)), []);
}

#[test]
fn wrong_size_of_one_container_does_not_fail_another() {
    let mut script = Script::joined();
    let wrong = |sequence| {
        let mut start = launch(sequence, &[1]);
        start.launch.artifacts[0].size_bytes = 9;
        Input::Start { ticket: Ticket(sequence), start }
    };
    script.step(wrong(1));
    assert_eq!(script.step(start(2, &[1])), [localizing(2)], "it waits for what comes");
    assert_eq!(script.step(not_downloaded(1, DownloadProblem::Fatal)), [download(1)]);
    assert_eq!(script.step(wrong(3)).len(), 1, "now the other one waits");
    assert_eq!(script.step(downloaded(1)), [Effect::Launch(launch(2, &[1]))]);
    let reports = script.reports();
    let statuses: Vec<_> = reports.iter().map(|report| report.exit_status).collect();
    assert_eq!(statuses, [Some(exit_status::INVALID), None, Some(exit_status::INVALID)]);
    let text = &reports[2].diagnostics;
    assert!(text.contains("has 10 bytes, not 9") && text.contains("WEIR-NM-0012"), "{text}");
}

#[test]
fn unused_file_of_another_size_is_fetched_again() {
    let cached = vec![CachedFile { hash: hash(1), size_bytes: 7 }];
    let (mut script, _) = Script::new(Recovered { cached, ..Recovered::default() });
    script.join();
    let effects = script.step(start(1, &[1]));
    assert_eq!(effects, [Effect::DeleteCached(hash(1)), download(1), localizing(1)]);
    assert_eq!(script.step(downloaded(1)), [Effect::Launch(launch(1, &[1]))]);
}

#[test]
fn full_disk_evicts_unused_files() {
    let with_files = || {
        let cached = [1, 2].map(|tag| CachedFile { hash: hash(tag), size_bytes: 10 });
        let (mut script, _) =
            Script::new(Recovered { cached: cached.to_vec(), ..Recovered::default() });
        script.join();
        script.step(start(1, &[1]));
        script
    };
    let dropped = [Effect::DeleteCached(hash(2))];
    let mut script = with_files();
    let unhealthy = Some("12 mb are free".to_owned());
    assert_eq!(script.step(Input::Checked { unhealthy }), dropped);

    let mut script = with_files();
    script.step(start(2, &[3]));
    assert_eq!(script.step(not_downloaded(3, DownloadProblem::DiskFull)), dropped);

    let mut script = with_files();
    let failure = LaunchFailure { exit_status: exit_status::DISKS_FAILED, message: String::new() };
    let result = Err(failure);
    let failed = script.step(Input::Launched { container: container(1), result });
    assert_eq!(failed, [Effect::DeleteCached(hash(2)), Effect::DeleteCached(hash(1))]);
}
