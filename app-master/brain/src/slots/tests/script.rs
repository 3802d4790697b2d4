//! Scripts: lines of `> input`, each followed by the effects it leads to. Containers are `c1`, `c2`;
//! hosts `c1/1`. The pool wants three slots from task managers with two, within ten seconds.

use crate::{SlotEffect, SlotInput, SlotPool, SlotSettings};
use std::time::Duration;
use weir_base::{ContainerId, Failure, FailureOrigin, Machine, Monotonic, Now, WallTime};

/// Runs a script and compares the whole of it, but for what deployments wait for.
#[track_caller]
pub(super) fn check(script: &str) {
    compare(script, |effect| !matches!(effect, SlotEffect::WaitsFor { .. }));
}

/// Runs a script and compares what deployments wait for.
#[track_caller]
pub(super) fn check_waiting(script: &str) {
    compare(script, |effect| matches!(effect, SlotEffect::WaitsFor { .. }));
}

#[track_caller]
fn compare(script: &str, is_shown: fn(&SlotEffect) -> bool) {
    let mut pool = SlotPool::new(SlotSettings {
        slots: 3,
        slots_per_manager: 2,
        request_timeout: Duration::from_secs(10),
    });
    let mut now_ms = 0;
    let mut transcript = Vec::new();
    for line in script.lines().map(str::trim) {
        if let Some(command) = line.strip_prefix("> ") {
            transcript.push(line.to_owned());
            let effects = run(&mut pool, &mut now_ms, command);
            transcript.extend(effects.iter().filter(|effect| is_shown(effect)).map(show));
        }
    }
    let expected: Vec<&str> =
        script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(transcript.join("\n"), expected.join("\n"));
}

fn run(pool: &mut SlotPool, now_ms: &mut u64, command: &str) -> Vec<SlotEffect> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut effects = Vec::new();
    match words.as_slice() {
        // Through every deadline on the way, as a shell would.
        ["at", millis] => {
            let until: u64 = millis.parse().unwrap();
            while let Some(due) = pool.next_deadline().filter(|due| due.0 <= until) {
                *now_ms = due.0.max(*now_ms);
                let before = effects.len();
                pool.tick(time(*now_ms), &mut effects);
                assert!(
                    pool.next_deadline() != Some(due) || effects.len() > before,
                    "the deadline {due:?} does not pass"
                );
            }
            *now_ms = until;
        }
        words => pool.step(time(*now_ms), input(words), &mut effects),
    }
    pool.check_invariants();
    effects
}

fn input(words: &[&str]) -> SlotInput {
    let why = |text: &[&str]| failure(&text.join(" "));
    match words {
        ["registered"] => SlotInput::Registered,
        ["waits", reason @ ..] => SlotInput::AskWaits { reason: reason.join(" ") },
        ["ask-refused", text @ ..] => SlotInput::AskRefused { failure: why(text) },
        ["leased", id] => SlotInput::Leased { container: container(id) },
        ["completed", id, text @ ..] => {
            SlotInput::Completed { container: container(id), failure: why(text) }
        }
        ["start-refused", id, text @ ..] => {
            SlotInput::StartRefused { container: container(id), failure: why(text) }
        }
        ["connected", id] => SlotInput::ManagerConnected { container: container(id) },
        ["manager-lost", id] => {
            SlotInput::ManagerLost { container: container(id), failure: failure("connection lost") }
        }
        ["ready", id] => {
            let (container, host) = host(id);
            SlotInput::HostReady { container, host }
        }
        ["disconnected", id] => {
            let (container, host) = host(id);
            let failure = failure("connection lost");
            SlotInput::HostDisconnected { container, host, failure }
        }
        ["ended", id, text @ ..] => {
            let (container, host) = host(id);
            SlotInput::HostEnded { container, host, failure: why(text) }
        }
        ["unfit", id, text @ ..] => {
            let (container, host) = host(id);
            let failure = Failure { origin: FailureOrigin::Permanent, ..why(text) };
            SlotInput::HostEnded { container, host, failure }
        }
        ["job-ended"] => SlotInput::JobEnded,
        other => panic!("what is {other:?}"),
    }
}

fn show(effect: &SlotEffect) -> String {
    let name = |container: &ContainerId| format!("c{}", container.sequence);
    match effect {
        SlotEffect::Ask { total } => format!("ask {total}"),
        SlotEffect::StartContainer { container } => format!("start {}", name(container)),
        SlotEffect::ReleaseContainer { container } => format!("release {}", name(container)),
        SlotEffect::StartHost { container, host } => {
            format!("start-host {}/{host}", name(container))
        }
        SlotEffect::StopHost { container, host } => format!("stop-host {}/{host}", name(container)),
        SlotEffect::StopManager { container } => format!("stop-manager {}", name(container)),
        SlotEffect::Open { placement } => {
            let slots = placement.iter().map(|(id, host)| format!(" {}/{host}", name(id)));
            format!("open{}", slots.collect::<String>())
        }
        SlotEffect::Close => "close".to_owned(),
        SlotEffect::WaitsFor { what: Some(what) } => format!("waits {what}"),
        SlotEffect::WaitsFor { what: None } => "waits for nothing".to_owned(),
        SlotEffect::TasksLost { container, host, failure } => {
            format!("tasks-lost {}/{host}: {}", name(container), failure.message)
        }
        SlotEffect::Fail { failure, container } => {
            assert_eq!(failure.origin, FailureOrigin::Permanent);
            let whose = container.as_ref().map(|id| format!("{} ", name(id))).unwrap_or_default();
            format!("fail {whose}{}: {}", failure.code, failure.message)
        }
    }
}

fn failure(message: &str) -> Failure {
    Failure::new("X", FailureOrigin::External, message)
}

fn container(text: &str) -> ContainerId {
    let sequence = text.strip_prefix('c').unwrap().parse().unwrap();
    ContainerId { sequence, ..ContainerId::default() }
}

fn host(text: &str) -> (ContainerId, u32) {
    let (id, number) = text.split_once('/').unwrap();
    (container(id), number.parse().unwrap())
}

fn time(millis: u64) -> Now {
    Now { monotonic: Monotonic(millis), wall: WallTime(millis) }
}
