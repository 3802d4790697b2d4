//! All applications: active ones, and those that ended last.

use crate::{application::Application, attempt::Attempt, messages::ApplicationSpec};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use weir_base::{ApplicationId, ArtifactHash, AttemptId};

/// Applications by id, with the uploaded files that they use.
#[derive(Debug, Default)]
pub(crate) struct Applications {
    by_id: BTreeMap<ApplicationId, Application>,
    /// Applications restored at the start or accepted since then, including those that were removed.
    submitted_count: u64,
    /// Ids of those that have ended, in the order of their ends.
    ended: VecDeque<ApplicationId>,
    /// For each uploaded file the number of active applications that use it.
    artifact_users: BTreeMap<ArtifactHash, u32>,
    /// Attempts whose held allocate may have news.
    touched: BTreeSet<AttemptId>,
}

impl Applications {
    /// Adds an active application.
    pub(crate) fn add(&mut self, application: Application) {
        self.submitted_count += 1;
        for hash in artifacts(&application.submission) {
            *self.artifact_users.entry(hash).or_default() += 1;
        }
        self.by_id.insert(application.id(), application);
    }

    /// Adds an application that has ended.
    pub(crate) fn add_ended(&mut self, application: Application) {
        self.submitted_count += 1;
        self.ended.push_back(application.id());
        self.by_id.insert(application.id(), application);
    }

    /// An application has ended. Returns the files that no application uses any more.
    pub(crate) fn note_end(&mut self, id: ApplicationId) -> Vec<ArtifactHash> {
        let Some(application) = self.by_id.get(&id) else { return Vec::new() };
        self.ended.push_back(id);
        let mut unused = Vec::new();
        for hash in artifacts(&application.submission) {
            if let Some(users) = self.artifact_users.get_mut(&hash) {
                *users -= 1;
                if *users == 0 {
                    self.artifact_users.remove(&hash);
                    unused.push(hash);
                }
            }
        }
        unused
    }

    /// Removes the applications that ended first until this many are left. Keeps those that
    /// `is_in_use`. Returns the ids of the removed ones.
    pub(crate) fn remove_oldest_ended(
        &mut self,
        kept_count: usize,
        is_in_use: impl Fn(&Application) -> bool,
    ) -> Vec<ApplicationId> {
        let mut excess = self.ended.len().saturating_sub(kept_count);
        let mut removed = Vec::new();
        let by_id = &mut self.by_id;
        self.ended.retain(|id| {
            let goes = excess > 0 && !by_id.get(id).is_some_and(&is_in_use);
            if goes {
                excess -= 1;
                by_id.remove(id);
                removed.push(*id);
            }
            !goes
        });
        removed
    }

    pub(crate) fn get(&self, id: &ApplicationId) -> Option<&Application> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &ApplicationId) -> Option<&mut Application> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Application> {
        self.by_id.values()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ApplicationId, &Application)> {
        self.by_id.iter()
    }

    /// Whether an application has ended, or is not known (any more).
    pub(crate) fn is_over(&self, id: ApplicationId) -> bool {
        self.by_id.get(&id).is_none_or(|application| application.state.is_terminal())
    }

    /// An attempt, over or not.
    pub(crate) fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.by_id.get(&id.application)?.attempts.iter().rev().find(|one| one.id == id)
    }

    /// An attempt, over or not.
    pub(crate) fn attempt_mut(&mut self, id: AttemptId) -> Option<&mut Attempt> {
        let application = self.by_id.get_mut(&id.application)?;
        application.attempts.iter_mut().rev().find(|one| one.id == id)
    }

    /// The attempt, if it is current and its containers may run.
    pub(crate) fn working_attempt(&self, id: AttemptId) -> Option<&Attempt> {
        let application = self.by_id.get(&id.application)?;
        application.current().filter(|one| one.id == id && application.is_working())
    }

    /// The attempt, if it is current and its containers may run.
    pub(crate) fn working_attempt_mut(&mut self, id: AttemptId) -> Option<&mut Attempt> {
        let application = self.by_id.get_mut(&id.application)?;
        let is_working = application.is_working();
        application.current_mut().filter(|one| one.id == id && is_working)
    }

    /// The held allocate of an attempt may have news.
    pub(crate) fn touch(&mut self, id: AttemptId) {
        self.touched.insert(id);
    }

    /// Attempts that were touched since the last call.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<AttemptId> {
        std::mem::take(&mut self.touched)
    }

    /// Ids of those that have ended, in the order of their ends.
    pub(crate) fn ended(&self) -> impl Iterator<Item = ApplicationId> {
        self.ended.iter().copied()
    }

    pub(crate) fn submitted_count(&self) -> u64 {
        self.submitted_count
    }

    /// Whether an application that has not ended uses an uploaded file.
    pub(crate) fn uses_artifact(&self, hash: ArtifactHash) -> bool {
        self.artifact_users.contains_key(&hash)
    }

    /// Uploaded files of the applications that have not ended.
    pub(crate) fn used_artifacts(&self) -> impl Iterator<Item = ArtifactHash> {
        self.artifact_users.keys().copied()
    }
}

/// All uploaded files that an application uses.
fn artifacts(submission: &ApplicationSpec) -> BTreeSet<ArtifactHash> {
    let launched = submission.launch.artifacts.iter().map(|artifact| artifact.hash);
    launched.chain(submission.artifacts.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(sequence: u32, files: &[u8]) -> Application {
        let submission = ApplicationSpec {
            application: ApplicationId { cluster_timestamp: 1, sequence },
            artifacts: files.iter().map(|file| ArtifactHash([*file; 32])).collect(),
            ..ApplicationSpec::default()
        };
        Application::new(submission, 7)
    }

    #[test]
    fn file_is_unused_when_its_last_user_has_ended() {
        let mut applications = Applications::default();
        let (one, other) = (application(1, &[1, 2]), application(2, &[2, 3]));
        let (one_id, other_id) = (one.id(), other.id());
        applications.add(one);
        applications.add(other);
        assert_eq!(applications.note_end(one_id), [ArtifactHash([1; 32])]);
        assert!(applications.uses_artifact(ArtifactHash([2; 32])));
        let unused = [ArtifactHash([2; 32]), ArtifactHash([3; 32])];
        assert_eq!(applications.note_end(other_id), unused);
        assert_eq!(applications.used_artifacts().count(), 0);
    }

    #[test]
    fn oldest_ended_applications_are_removed_unless_they_are_in_use() {
        let mut applications = Applications::default();
        let ids: Vec<_> = (1..=4)
            .map(|sequence| {
                let ended = application(sequence, &[]);
                let id = ended.id();
                applications.add_ended(ended);
                id
            })
            .collect();
        let removed = applications.remove_oldest_ended(2, |one| one.id() == ids[0]);
        assert_eq!(removed, ids[1..3]);
        assert_eq!(applications.ended().collect::<Vec<_>>(), [ids[0], ids[3]]);
        assert!(applications.is_over(ids[1]) && applications.get(&ids[1]).is_none());
        assert_eq!(applications.submitted_count(), 4);
    }
}
