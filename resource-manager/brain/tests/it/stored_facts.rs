//! `fixtures/<release>/<kind>.json` holds each kind of fact as that release stores it. Stored facts must stay
//! readable, so the fixtures of a published release never change.

use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use weir_base::{ApplicationId, ArtifactHash, AttemptId, ContainerId, NodeId, Resources};
use weir_protocol::cluster::{ArchivedAnswer, ArtifactUse, FinalStatus, LaunchContext};
use weir_resource_manager_brain::{ApplicationOutcome, ApplicationSpec, Fact};

const RELEASE: &str = env!("CARGO_PKG_VERSION");

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures")
}

fn submission(application: ApplicationId) -> ApplicationSpec {
    let hash = ArtifactHash([0xab; 32]);
    let weir = ArtifactUse { name: "weir".to_owned(), hash, size_bytes: 10, executable: true };
    ApplicationSpec {
        application,
        name: "word count".to_owned(),
        user: "ada".to_owned(),
        queue: "default".to_owned(),
        application_type: "WEIR".to_owned(),
        tags: vec!["weir-job:0a".to_owned()],
        max_attempts: Some(2),
        resources: Resources { memory_mib: 1024, vcores: 1 },
        launch: LaunchContext {
            command: vec!["./weir".to_owned(), "app-master".to_owned()],
            environment: vec![("LANG".to_owned(), "C".to_owned())],
            artifacts: vec![weir],
        },
        artifacts: vec![hash],
    }
}

/// A fact of each kind.
fn facts() -> Vec<Fact> {
    let application = ApplicationId { cluster_timestamp: 1_700_000_000_000, sequence: 7 };
    let attempt = AttemptId { application, number: 2 };
    let diagnostics = || "the job failed".to_owned();
    vec![
        Fact::ApplicationIdsReserved { below: 16 },
        Fact::ApplicationSubmitted {
            submission: submission(application),
            submitted_wall_ms: 1_700_000_000_001,
        },
        Fact::KillRequested { application, diagnostics: diagnostics() },
        Fact::AttemptStarted {
            attempt,
            container: ContainerId { attempt, epoch: 3, sequence: 1 },
            node: NodeId("node-1:8042".to_owned()),
            resources: Resources { memory_mib: 1024, vcores: 1 },
            started_wall_ms: 1_700_000_000_002,
        },
        Fact::ContainersAsked { attempt },
        Fact::AttemptFinished {
            attempt,
            final_status: FinalStatus::Failed,
            diagnostics: diagnostics(),
            finished_wall_ms: 1_700_000_000_003,
        },
        Fact::AttemptEnded {
            attempt,
            exit_status: -100,
            counted: true,
            diagnostics: diagnostics(),
            ended_wall_ms: 1_700_000_000_004,
        },
        Fact::ApplicationEnded {
            application,
            outcome: ApplicationOutcome::Finished,
            final_status: FinalStatus::Failed,
            diagnostics: diagnostics(),
            ended_wall_ms: 1_700_000_000_005,
            memory_mib_seconds: 2048,
            vcore_seconds: 2,
        },
        Fact::Archived {
            application,
            answers: vec![ArchivedAnswer {
                path: "/jobs/overview".to_owned(),
                json: "{}".to_owned(),
            }],
        },
        Fact::ApplicationForgotten { application, highest: 7 },
    ]
}

/// Fails to compile when a kind is added: then add it to [`facts`] and to [`Fact::KINDS`].
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::ApplicationIdsReserved { .. } => "application-ids-reserved",
        Fact::ApplicationSubmitted { .. } => "application-submitted",
        Fact::KillRequested { .. } => "kill-requested",
        Fact::AttemptStarted { .. } => "attempt-started",
        Fact::ContainersAsked { .. } => "containers-asked",
        Fact::AttemptFinished { .. } => "attempt-finished",
        Fact::AttemptEnded { .. } => "attempt-ended",
        Fact::ApplicationEnded { .. } => "application-ended",
        Fact::Archived { .. } => "archived",
        Fact::ApplicationForgotten { .. } => "application-forgotten",
    }
}

fn encode(fact: &Fact) -> String {
    serde_json::to_string(fact).expect("plain data")
}

#[test]
fn every_kind_has_a_sample_and_is_listed() {
    let sampled: BTreeSet<_> = facts().iter().map(kind).collect();
    assert_eq!(sampled, Fact::KINDS.iter().copied().collect());
}

#[test]
fn every_fact_is_stored_as_its_fixture_of_this_release_says() {
    let folder = fixtures().join(RELEASE);
    let is_renewed = std::env::var_os("WEIR_BLESS").is_some();
    if is_renewed {
        fs::create_dir_all(&folder).expect("writable");
    }
    for fact in facts() {
        let path = folder.join(format!("{}.json", kind(&fact)));
        let json = encode(&fact) + "\n";
        if is_renewed {
            fs::write(&path, &json).expect("writable");
        }
        assert!(
            fs::read_to_string(&path).unwrap_or_default() == json,
            "{} is stored otherwise than its fixture of release {RELEASE} ({}) says, or has none. If \
             {RELEASE} is not published yet, write the fixtures anew: WEIR_BLESS=1 cargo test -p \
             weir-resource-manager-brain --test it. If it is published, its fixtures must not change: \
             raise the version of the workspace first",
            kind(&fact),
            path.display(),
        );
    }
}

#[test]
fn facts_of_every_release_are_read() {
    for release in fs::read_dir(fixtures()).expect("the folder of fixtures") {
        let release = release.expect("readable");
        for file in fs::read_dir(release.path()).expect("a release's folder") {
            let path = file.expect("readable").path();
            let json = fs::read_to_string(&path).expect("readable");
            let fact: Fact =
                serde_json::from_str(&json).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            if release.file_name() == RELEASE {
                assert!(facts().contains(&fact), "{path:?}: {fact:?}");
            }
        }
    }
}

#[test]
fn fields_that_a_later_release_adds_are_ignored() {
    for fact in facts() {
        let mut later: Value = serde_json::from_str(&encode(&fact)).expect("JSON");
        later["added_by_a_later_release"] = json!([1, {"a": "b"}]);
        assert_eq!(serde_json::from_value::<Fact>(later).expect("understood"), fact);
    }
}

#[test]
fn a_time_of_an_end_that_was_not_stored_is_0() {
    let finished = facts().into_iter().find(|fact| kind(fact) == "attempt-finished");
    let mut earlier: Value = serde_json::to_value(finished).expect("JSON");
    earlier.as_object_mut().expect("a struct").remove("finished_wall_ms");
    let read: Fact = serde_json::from_value(earlier).expect("understood");
    assert!(matches!(read, Fact::AttemptFinished { finished_wall_ms: 0, .. }), "{read:?}");
}
