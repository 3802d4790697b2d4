//! `/overview`, `/config` and the job manager.

use serde::{Deserialize, Serialize};

/// `/overview`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    pub taskmanagers: u64,
    pub slots_total: u64,
    pub slots_available: u64,
    pub jobs_running: u64,
    pub jobs_finished: u64,
    pub jobs_cancelled: u64,
    pub jobs_failed: u64,
    /// The release of Weir.
    pub flink_version: String,
    /// The commit from which it was built; `unknown` if it was built outside a checkout.
    pub flink_commit: String,
}

/// `/config`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct DashboardConfig {
    /// How often a page asks for news, in milliseconds.
    pub refresh_interval: u64,
    /// Name of the server's time zone.
    pub timezone_name: String,
    /// Its distance from UTC in milliseconds.
    pub timezone_offset: i64,
    /// The release of Weir.
    pub flink_version: String,
    /// The commit.
    pub flink_revision: String,
    /// Features that a page may offer.
    pub features: Features,
}

/// Features that a page may offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct Features {
    /// Uploading and submitting jobs.
    pub web_submit: bool,
    /// Cancelling jobs.
    pub web_cancel: bool,
    /// Changing parallelism.
    pub web_rescale: bool,
    /// Whether this is a server of ended jobs only.
    pub web_history: bool,
}

/// An entry of `/jobmanager/config`, and of the configuration of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ConfigEntry {
    pub key: String,
    pub value: String,
    /// Where the value was set, in words: `the program`, `flag -p`, `the default`. Flink has no such
    /// field.
    pub source: String,
}

/// `/jobmanager/environment`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Environment {
    /// The executable; Flink's is a Java machine.
    pub jvm: Machine,
    /// Always empty.
    pub classpath: Vec<String>,
}

/// The process that runs the job manager.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Machine {
    /// `weir 0.1.0`
    pub version: String,
    /// Architecture of the processor.
    pub arch: String,
    /// Always empty.
    pub options: Vec<String>,
}
