//! `/overview`, `/config` and the job manager, which is this app master.

use super::{
    Paths,
    extract::{Answer, Now},
};
use crate::observed::Reading;
use weir_config::{Setting, keys};
use weir_protocol::{
    job::JobStatus,
    rest::flink::cluster::{
        ConfigEntry, DashboardConfig, Environment, Features, Machine, Overview,
    },
};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Keys whose values are not shown have one of these in their names, as in Flink.
const SECRETS: &[&str] =
    &["password", "secret", "token", "apikey", "api-key", "service-key", "auth", "account.key"];

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/overview", overview);
    paths.get("/config", config);
    paths.get("/jobmanager/config", job_manager_config);
    paths.get("/jobmanager/environment", environment);
}

async fn overview(now: Now) -> Answer<Overview> {
    Answer(overview_of(&now.0))
}

async fn config(now: Now) -> Answer<DashboardConfig> {
    Answer(config_of(&now.0))
}

async fn job_manager_config(now: Now) -> Answer<Vec<ConfigEntry>> {
    Answer(configuration_of(&now.0))
}

async fn environment() -> Answer<Environment> {
    Answer(environment_of())
}

pub(super) fn overview_of(reading: &Reading) -> Overview {
    let slots = Slots::of(reading);
    let ended_as = |state| u64::from(reading.state == state);
    Overview {
        taskmanagers: slots.managers,
        slots_total: slots.total,
        slots_available: slots.free,
        jobs_running: u64::from(!reading.state.is_terminal()),
        jobs_finished: ended_as(JobStatus::Finished),
        jobs_cancelled: ended_as(JobStatus::Canceled),
        jobs_failed: ended_as(JobStatus::Failed),
        flink_version: VERSION.to_owned(),
        flink_commit: reading.facts.commit.to_owned(),
    }
}

/// Slots of the task managers that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slots {
    pub managers: u64,
    pub total: u64,
    pub free: u64,
}

impl Slots {
    pub fn of(reading: &Reading) -> Self {
        let mut slots = Self { managers: 0, total: 0, free: 0 };
        for manager in reading.managers.iter().filter(|manager| manager.left_ms.is_none()) {
            let (total, used) = (u64::from(manager.info.slots), manager.used_slots.len() as u64);
            slots.managers += 1;
            slots.total += total;
            slots.free +=
                if reading.state.is_terminal() { total } else { total.saturating_sub(used) };
        }
        slots
    }
}

pub(super) fn config_of(reading: &Reading) -> DashboardConfig {
    let refresh = reading.facts.config.get(&keys::WEB_REFRESH_INTERVAL);
    DashboardConfig {
        refresh_interval: u64::try_from(refresh.as_millis()).unwrap_or(u64::MAX),
        timezone_name: "UTC".to_owned(),
        timezone_offset: 0,
        flink_version: VERSION.to_owned(),
        flink_revision: reading.facts.commit.to_owned(),
        features: Features { web_cancel: true, ..Features::default() },
    }
}

/// Every key of the job with the value that holds.
pub(super) fn configuration_of(reading: &Reading) -> Vec<ConfigEntry> {
    let entry = |setting: Setting<'_>| ConfigEntry {
        key: setting.key.to_owned(),
        value: shown(setting.key, setting.value),
        source: setting.origin.to_string(),
    };
    reading.facts.config.settings().map(entry).collect()
}

/// A value as it may be shown.
pub(super) fn shown(key: &str, value: &str) -> String {
    let key = key.to_ascii_lowercase();
    match SECRETS.iter().any(|secret| key.contains(secret)) {
        true => "******".to_owned(),
        false => value.to_owned(),
    }
}

pub(super) fn environment_of() -> Environment {
    let jvm = Machine {
        version: format!("weir {VERSION}"),
        arch: std::env::consts::ARCH.to_owned(),
        options: Vec::new(),
    };
    Environment { jvm, classpath: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn only_task_managers_that_are_there_have_slots() {
        let mut reading = fixture::reading();
        assert_eq!(Slots::of(&reading), Slots { managers: 1, total: 2, free: 0 });
        let overview = overview_of(&reading);
        assert_eq!((overview.jobs_running, overview.jobs_finished), (1, 0));
        assert_eq!(overview.flink_commit, "abc1234");
        assert_eq!(config_of(&reading).flink_revision, "abc1234");
        reading.state = JobStatus::Finished;
        let overview = overview_of(&reading);
        assert_eq!((overview.jobs_running, overview.jobs_finished), (0, 1));
        assert_eq!(Slots::of(&reading).free, 2);
    }

    #[test]
    fn secrets_are_masked() {
        for (key, expected) in [
            ("parallelism.default", "x"),
            ("s3.secret-key", "******"),
            ("my.PASSWORD", "******"),
            ("auth.token", "******"),
        ] {
            assert_eq!(shown(key, "x"), expected, "{key}");
        }
    }
}
