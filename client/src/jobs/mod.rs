//! Jobs on a cluster, as Flink's `list` and `cancel` show and end them.
//!
//! A job is found by the tag of its application, also before its app master runs and after.

mod cancel;
mod list;

pub use cancel::{HAS_ENDED, PATIENCE, cancel, cancel_or_kill, kill};
pub use list::{list, verdict_of};

use weir_base::JobId;

/// The kind of applications that are jobs of ours.
pub const APPLICATION_TYPE: &str = "WEIR";
/// Prefix of the job id in the tag of its application.
const TAG: &str = "weir-job:";

/// The tag by which the application of a job is found.
pub fn tag_of(job: JobId) -> String {
    format!("{TAG}{job}")
}

/// The job that an application's tags, with commas between, name.
pub fn job_of_tags(tags: &str) -> Option<JobId> {
    tags.split(',').find_map(|tag| tag.trim().strip_prefix(TAG)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_is_found_in_the_tags_of_its_application() {
        let job = JobId::of_text("a");
        for tags in [tag_of(job), format!("nightly,{}", tag_of(job)), format!("{}, x", tag_of(job))]
        {
            assert_eq!(job_of_tags(&tags), Some(job));
        }
        for tags in ["", "nightly", "weir-job:", "weir-job:xyz"] {
            assert_eq!(job_of_tags(tags), None, "{tags}");
        }
    }
}
