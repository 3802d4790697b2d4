//! Every key that a job reads, set in code: it holds in local mode, and travels with the graph to a
//! cluster. A new key makes the tests fail until it has a row here.

use super::*;
use crate::local::{HostSettings, checkpoint_folder, local_hosts};
use weir_base::JobId;
use weir_config::ProgressStyle;
use weir_config::{ConfigBuilder, Origin};
use weir_graph::Fingerprint;
use weir_job_master::job_settings;
use weir_protocol::job_executable::JobMessage;

/// Where a key shows its effect.
enum Effect {
    /// In local mode, and the same on a cluster: what is seen of it.
    Everywhere(fn(&Job) -> String),
    /// In the containers of a cluster, which a local job does not have.
    OnCluster,
    /// It has a single value.
    OnlyValue,
}

/// A job that is about to be started.
struct Job {
    config: Config,
    built: Result<Built>,
}

impl Job {
    fn graph(&self) -> &weir_graph::StreamGraph {
        match &self.built {
            Ok(built) => &built.graph,
            Err(error) => panic!("{error}"),
        }
    }

    fn settings(&self) -> weir_coordination::JobSettings {
        job_settings(JobId::default(), Fingerprint::default(), &self.config)
    }

    fn hosts(&self) -> HostSettings {
        HostSettings::of(&self.config)
    }
}

/// A value for each key that is not its default, and where it shows.
fn rows() -> Vec<(&'static str, &'static str, Effect)> {
    use Effect::{Everywhere, OnCluster, OnlyValue};
    vec![
        ("parallelism.default", "3", Everywhere(|job| job.graph().default_parallelism.to_string())),
        (
            "pipeline.max-parallelism",
            "256",
            Everywhere(|job| format!("{:?}", job.graph().default_max_parallelism)),
        ),
        ("pipeline.name", "named in code", Everywhere(|job| job.graph().name.clone())),
        (
            "pipeline.operator-chaining.enabled",
            "false",
            Everywhere(|job| job.graph().chaining.to_string()),
        ),
        (
            "pipeline.auto-generate-uids",
            "false",
            Everywhere(|job| format!("{:?}", job.built.as_ref().err().map(Error::code))),
        ),
        ("execution.runtime-mode", "BATCH", Everywhere(|job| format!("{:?}", job.graph().mode))),
        (
            "execution.buffer-timeout.interval",
            "7 ms",
            Everywhere(|job| format!("{:?}", job.hosts())),
        ),
        (
            "execution.buffer-timeout.enabled",
            "false",
            Everywhere(|job| format!("{:?}", job.hosts())),
        ),
        (
            "execution.checkpointing.interval",
            "500 ms",
            Everywhere(|job| format!("{:?}", job.settings().checkpoints)),
        ),
        (
            "execution.checkpointing.timeout",
            "3 min",
            Everywhere(|job| format!("{:?}", job.settings().final_checkpoint_timeout)),
        ),
        (
            "execution.checkpointing.min-pause",
            "4 s",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().checkpoints)),
        ),
        (
            "execution.checkpointing.tolerable-failed-checkpoints",
            "5",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().checkpoints)),
        ),
        ("execution.checkpointing.mode", "EXACTLY_ONCE", OnlyValue),
        (
            "execution.checkpointing.dir",
            "/of/the/code",
            Everywhere(|job| format!("{:?}", checkpoint_folder(&job.config))),
        ),
        (
            "weir.checkpointing.storage-timeout",
            "7 min",
            Everywhere(|job| format!("{:?}", job.settings().storage_timeout)),
        ),
        (
            "execution.checkpointing.num-retained",
            "6",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().checkpoints)),
        ),
        (
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
            Everywhere(|job| format!("{:?}", job.settings().retention)),
        ),
        ("state.backend.type", "hashmap", OnlyValue),
        (
            "restart-strategy.type",
            "fixed-delay",
            Everywhere(|job| format!("{:?}", job.settings().restart)),
        ),
        (
            "restart-strategy.exponential-delay.initial-backoff",
            "2 s",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.exponential-delay.max-backoff",
            "3 min",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.exponential-delay.backoff-multiplier",
            "2.5",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.exponential-delay.reset-backoff-threshold",
            "2 h",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.exponential-delay.jitter-factor",
            "0.3",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.exponential-delay.attempts-before-reset-backoff",
            "12",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.failure-rate.max-failures-per-interval",
            "4",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.failure-rate.failure-rate-interval",
            "5 min",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.failure-rate.delay",
            "6 s",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.fixed-delay.attempts",
            "9",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "restart-strategy.fixed-delay.delay",
            "8 s",
            Everywhere(|job| format!("{:?}", checkpointed(job).settings().restart)),
        ),
        (
            "task.cancellation.timeout",
            "11 s",
            Everywhere(|job| format!("{:?}", job.settings().cancellation_timeout)),
        ),
        (
            "taskmanager.memory.segment-size",
            "16 kb",
            Everywhere(|job| format!("{:?}", job.hosts())),
        ),
        (
            "taskmanager.network.memory.buffers-per-channel",
            "5",
            Everywhere(|job| format!("{:?}", job.hosts())),
        ),
        ("weir.exchange.bytes-per-channel", "1 mb", Everywhere(|job| format!("{:?}", job.hosts()))),
        ("weir.local.task-hosts", "2", Everywhere(|job| local_hosts(&job.config).to_string())),
        (
            "weir.progress",
            "NEVER",
            Everywhere(|job| format!("{:?}", ProgressStyle::of(&job.config, false))),
        ),
        (
            "weir.progress.interval",
            "2 s",
            Everywhere(|job| format!("{:?}", ProgressStyle::Lines.interval(&job.config))),
        ),
        ("yarn.application.name", "named in code", OnCluster),
        ("jobmanager.memory.process.size", "300 mb", OnCluster),
        ("yarn.appmaster.vcores", "2", OnCluster),
        ("yarn.application-attempts", "3", OnCluster),
        ("taskmanager.memory.process.size", "2 gb", OnCluster),
        ("taskmanager.numberOfTaskSlots", "2", OnCluster),
        ("yarn.containers.vcores", "3", OnCluster),
        ("slot.request.timeout", "1 min", OnCluster),
        ("heartbeat.timeout", "10 s", OnCluster),
        ("web.refresh-interval", "5 s", OnCluster),
    ]
}

/// The same job with checkpoints, which some keys are about.
fn checkpointed(job: &Job) -> Job {
    let mut config = job.config.clone();
    config.set(&keys::CHECKPOINTING_INTERVAL, Duration::from_secs(1)).expect("in range");
    let graph = job.graph().clone();
    let built = Built { graph, registry: Default::default(), submit_actions: Vec::new() };
    Job { config, built: Ok(built) }
}

/// A job whose key is set in code, over what `-D` sets to another value.
fn job(given: Config, set: Option<(&str, &str)>) -> Job {
    let env = StreamExecutionEnvironment::with_config(given);
    env.sequence(1, 2).map(|n| n).discard();
    if let Some((key, value)) = set {
        env.configure(key, value);
    }
    let config = env.resolve("");
    Job { built: env.build(&config), config }
}

fn rows_of_all_keys() -> Vec<(&'static str, &'static str, Effect)> {
    let rows = rows();
    let listed: Vec<&str> = rows.iter().map(|(key, ..)| *key).collect();
    let known: Vec<&str> = keys::of_jobs().map(weir_config::KeySpec::name).collect();
    assert_eq!(listed, known, "each key that a job reads has its row here, in their order");
    rows
}

#[test]
fn every_key_set_in_code_takes_effect_in_local_mode() {
    for (key, value, effect) in rows_of_all_keys() {
        let Effect::Everywhere(effect) = effect else { continue };
        let (set, default) = (job(Config::new(), Some((key, value))), job(Config::new(), None));
        assert_ne!(effect(&set), effect(&default), "{key} shows no effect");
    }
}

#[test]
fn every_key_set_in_code_wins_over_dynamic_ones_and_travels_with_the_graph() {
    for (key, value, _) in rows_of_all_keys() {
        let spec = keys::of_jobs().find(|spec| spec.name() == key).expect("it is known");
        let given = ConfigBuilder::new().dynamic(format!("{key}={}", spec.example()));
        let (given, _) = given.build().expect("a valid example");
        let job = job(given, Some((key, value)));
        let Ok(built) = &job.built else {
            assert_eq!(key, "pipeline.auto-generate-uids", "the others build a graph");
            continue;
        };
        let message = remote::graph_message(0, built, &job.config).expect("it is planned");
        let JobMessage::Graph { configuration, .. } = message else { panic!("{message:?}") };
        let travelled = Config::from_json(&configuration).expect("our own JSON");
        let found = travelled.settings().find(|setting| setting.key == key).expect("it is there");
        assert_eq!((found.value, found.origin), (value, Origin::Program), "{key}");
    }
}

#[test]
fn what_cannot_be_set_in_code_is_the_error_of_execute() {
    for (key, value, code) in [
        ("execution.target", "per-job", "WEIR-CFG-0009"),
        ("yarn.nodemanager.resource.cpu-vcores", "8", "WEIR-CFG-0009"),
        ("parallelism.default", "0", "WEIR-CFG-0002"),
        ("paralelism.default", "1", "WEIR-CFG-0001"),
        ("rest.port", "8081", "WEIR-CFG-0010"),
    ] {
        let env = StreamExecutionEnvironment::with_config(Config::new());
        env.sequence(1, 2).discard();
        env.configure(key, value);
        assert_eq!(env.execute("refused").expect_err(key).code(), code, "{key}");
    }
}

#[test]
fn job_has_the_name_given_to_execute_also_in_its_configuration() {
    let env = StreamExecutionEnvironment::with_config(Config::new());
    env.configure("pipeline.name", "configured");
    assert_eq!(env.resolve("given").get_optional(&keys::PIPELINE_NAME).as_deref(), Some("given"));
    let config = env.resolve(" ");
    assert_eq!(config.get_optional(&keys::PIPELINE_NAME).as_deref(), Some("configured"));
}
