//! From what a person types to an application and its job: a job id, an application id, or the beginning
//! of either that is unique.

use crate::applications;
use crate::jobs::{job_of_tags, tag_of, verdict_of};
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote};
use weir_base::{ApplicationId, JobId};
use weir_protocol::rest::yarn::{App, Apps};

/// An application that was found.
#[derive(Debug)]
pub struct Found {
    /// The application.
    pub app: App,
    /// Its job; `None` of an application that is no job of ours.
    pub job: Option<JobId>,
}

/// Candidates that an error names at most.
const MAX_NAMED: usize = 10;

/// Finds the application that is meant.
///
/// # Errors
/// Nothing has such an id, or several begin so.
pub fn find(remote: &Remote, typed: &str) -> Result<Found, Problem> {
    let typed = typed.trim();
    if typed.parse::<ApplicationId>().is_ok_and(|id| id.to_string() == typed) {
        return applications::find(remote, typed).map(found);
    }
    if let Ok(job) = typed.parse::<JobId>() {
        let apps: Apps = remote.get(&format!("{CLUSTER}/apps?applicationTags={}", tag_of(job)))?;
        let newest = apps.apps.app.into_iter().max_by_key(|app| app.id);
        return newest.map(found).ok_or_else(|| no_job(remote, typed));
    }
    if !may_begin_an_id(typed) {
        return Err(no_id(typed));
    }
    let apps: Apps = remote.get(&format!("{CLUSTER}/apps"))?;
    the_one(typed, apps.apps.app.into_iter().map(found).collect(), || no_job(remote, typed))
}

fn found(app: App) -> Found {
    let job = job_of_tags(&app.application_tags);
    Found { app, job }
}

fn the_one(typed: &str, all: Vec<Found>, none: impl FnOnce() -> Problem) -> Result<Found, Problem> {
    let mut meant: Vec<_> = all.into_iter().filter(|one| one.begins_with(typed)).collect();
    match meant.len() {
        0 => Err(none()),
        1 => Ok(meant.remove(0)),
        _ => {
            meant.sort_by_key(|one| std::cmp::Reverse(one.app.id));
            Err(ambiguous(typed, &meant))
        }
    }
}

impl Found {
    fn begins_with(&self, typed: &str) -> bool {
        let job = self.job.map(|job| job.to_string()).unwrap_or_default();
        self.app.id.to_string().starts_with(typed) || job.starts_with(&typed.to_lowercase())
    }

    fn line(&self) -> String {
        let App { id, name, .. } = &self.app;
        let state = verdict_of(&self.app);
        let job = self.job.map(|job| format!("job {job} in ")).unwrap_or_default();
        format!("{job}{id}: {name} ({state})")
    }
}

/// Whether a text is the beginning of some id.
fn may_begin_an_id(typed: &str) -> bool {
    let is_hex = typed.len() <= 32 && typed.bytes().all(|byte| byte.is_ascii_hexdigit());
    const PREFIX: &str = "application_";
    let is_application = match typed.strip_prefix(PREFIX) {
        Some(rest) => rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_'),
        None => PREFIX.starts_with(typed),
    };
    !typed.is_empty() && (is_hex || is_application)
}

fn no_id(typed: &str) -> Problem {
    let what = format!(
        "{typed:?} is not a job id (32 hex digits), an application id (for example \
         application_1763640000000_0001) or the first characters of one"
    );
    Problem::usage(what)
        .help("`weir list -a` shows job ids, `weir application list` application ids")
}

fn no_job(remote: &Remote, typed: &str) -> Problem {
    let address = remote.address();
    let what = format!("the cluster at {address} has no job or application with the id {typed}");
    Problem::failure("WEIR-CLI-0207", what).help("`weir list -a` shows the ones that it knows")
}

fn ambiguous(typed: &str, candidates: &[Found]) -> Problem {
    let mut what = format!("{} ids begin with {typed:?}:", candidates.len());
    for candidate in candidates.iter().take(MAX_NAMED) {
        what.push_str(&format!("\n  {}", candidate.line()));
    }
    if candidates.len() > MAX_NAMED {
        what.push_str(&format!("\n  and {} more", candidates.len() - MAX_NAMED));
    }
    Problem::usage(what).code("WEIR-CLI-0215").help("type more of the id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(sequence: u32, job: &str) -> Found {
        let tags = format!("weir-job:{job:0<32}");
        let id = format!("application_1763640000000_{sequence:04}").parse().expect("an id");
        found(App { id, name: "count".to_owned(), application_tags: tags, ..App::default() })
    }

    fn find_in(typed: &str) -> Result<u32, Option<String>> {
        let all = vec![app(1, "5d7c0e"), app(2, "5d7caa"), app(12, "ab")];
        let none = || Problem::failure("WEIR-CLI-0207", "none");
        let found = the_one(typed, all, none);
        found.map(|found| found.app.id.sequence).map_err(|problem| problem.code)
    }

    #[test]
    fn beginning_of_an_id_is_enough_where_one_has_it() {
        for (typed, expect) in [
            ("5d7c0", Ok(1)),
            ("5D7CA", Ok(2)),
            ("a", Err("WEIR-CLI-0215")),
            ("ab", Ok(12)),
            ("application_1763640000000_0012", Ok(12)),
            ("application_1763640000000_001", Ok(12)),
            ("application_1763640000000_000", Err("WEIR-CLI-0215")),
            ("5d7c", Err("WEIR-CLI-0215")),
            ("77", Err("WEIR-CLI-0207")),
        ] {
            assert_eq!(find_in(typed), expect.map_err(|code| Some(code.to_owned())), "{typed}");
        }
    }

    #[test]
    fn ambiguous_beginning_names_the_candidates() {
        let problem = ambiguous("5d7c", &[app(2, "5d7caa"), app(1, "5d7c0e")]);
        let lines: Vec<_> = problem.what.lines().collect();
        assert_eq!(lines[0], "2 ids begin with \"5d7c\":");
        let job = format!("{:0<32}", "5d7caa");
        let expect = format!("  job {job} in application_1763640000000_0002: count (NEW)");
        assert_eq!(lines[1], expect);
        let many: Vec<_> = (1..=12).map(|sequence| app(sequence, "a")).collect();
        assert!(ambiguous("a", &many).what.ends_with("\n  and 2 more"));
    }

    #[test]
    fn what_begins_no_id_is_told_before_the_cluster_is_asked() {
        for (typed, expect) in [
            ("5d7c", true),
            ("a", true),
            ("app", true),
            ("application_17", true),
            ("", false),
            ("xyz", false),
            ("job_1", false),
            ("application_x", false),
        ] {
            assert_eq!(may_begin_an_id(typed), expect, "{typed}");
        }
    }
}
