//! The environment variables of every app master. The brain knows neither the addresses nor the secret, so the
//! daemon sets the variables in the orders for a node.

use weir_protocol::cluster::{LaunchContainer, variables};
use weir_service::Secret;

#[derive(Clone, Copy, Debug)]
pub struct AppMasterVariables<'a> {
    /// The address by which the node reaches the resource manager, `host:port`.
    pub resource_manager: &'a str,
    /// Folder or URI for the checkpoints of jobs that do not configure one.
    pub storage_dir: Option<&'a str>,
    /// Makes the token of the attempt.
    pub secret: &'a Secret,
}

impl AppMasterVariables<'_> {
    /// Sets the variables for the app master in this container. They replace submitted ones of the same name.
    pub fn set_in(&self, container: &mut LaunchContainer) {
        let attempt = container.container.attempt;
        let environment = &mut container.launch.environment;
        let mut set = |name: &str, value: String| {
            environment.retain(|(other, _)| other != name);
            environment.push((name.to_owned(), value));
        };
        set(variables::RESOURCE_MANAGER, self.resource_manager.to_owned());
        set(variables::APPLICATION_ATTEMPT, attempt.to_string());
        set(variables::APPLICATION_TOKEN, self.secret.application_token(attempt));
        if let Some(storage_dir) = self.storage_dir {
            set(variables::STORAGE_DIR, storage_dir.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{ApplicationId, AttemptId, ContainerId, Resources};
    use weir_protocol::cluster::LaunchContext;

    #[test]
    fn app_master_gets_the_variables_of_its_attempt_whatever_was_submitted() {
        let application = ApplicationId { cluster_timestamp: 1, sequence: 1 };
        let attempt = AttemptId { application, number: 2 };
        let token = variables::APPLICATION_TOKEN.to_owned();
        let launch = LaunchContext {
            environment: vec![("A".to_owned(), "a".to_owned()), (token, "forged".to_owned())],
            ..LaunchContext::default()
        };
        let container = ContainerId { attempt, epoch: 0, sequence: 1 };
        let resources = Resources::default();
        let mut container = LaunchContainer { container, resources, launch };
        let secret = Secret::of_hex("ab".repeat(32));
        let own = AppMasterVariables {
            resource_manager: "127.0.0.1:1",
            storage_dir: None,
            secret: &secret,
        };
        own.set_in(&mut container);
        let token = secret.application_token(attempt);
        let expected = [
            ("A", "a"),
            (variables::RESOURCE_MANAGER, "127.0.0.1:1"),
            (variables::APPLICATION_ATTEMPT, "appattempt_1_0001_000002"),
            (variables::APPLICATION_TOKEN, &token),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(container.launch.environment, expected);
    }
}
