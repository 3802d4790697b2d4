//! `POST /apps/new-application` and `POST /apps`: a body in YARN's format is converted to an `ApplicationSpec`.

use super::{State, internal::unexpected, links::Links};
use crate::{artifacts::Artifacts, error::codes};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{self, Data, Json, Query},
};
use serde::Deserialize;
use std::sync::Arc;
use weir_base::{ApplicationId, ArtifactHash, Resources};
use weir_protocol::cluster::{ArtifactUse, LaunchContext};
use weir_protocol::rest::yarn::{
    ARTIFACT_SCHEME, ContainerSpec, LocalResourceEntry, NewApplication, Submission,
};
use weir_resource_manager_brain::{ApplicationSpec, Input, Reply};
use weir_service::ApiError;

/// Header with the name of the user of the command line.
const USER_HEADER: &str = "x-weir-user";
const USER_MAX_BYTES: usize = 256;
const FILE_NAME_MAX_BYTES: usize = 255;
const DEFAULT_USER: &str = "weir";
const DEFAULT_QUEUE: &str = "default";
const DEFAULT_TYPE: &str = "YARN";

/// The user of the request. Tokens do not prove it, so it is only for display.
#[derive(Deserialize)]
pub struct Caller {
    #[serde(rename = "user.name")]
    user_name: Option<String>,
}

impl Caller {
    /// The name from the query, or from the header, or the default.
    pub fn name(&self, request: &HttpRequest) -> String {
        let header = request.headers().get(USER_HEADER).and_then(|value| value.to_str().ok());
        let named = self.user_name.as_deref().or(header).unwrap_or_default().trim();
        let is_usable =
            (1..=USER_MAX_BYTES).contains(&named.len()) && !named.contains(char::is_control);
        if is_usable { named } else { DEFAULT_USER }.to_owned()
    }
}

/// Hands out an id.
pub async fn new_application(state: Data<State>) -> Result<Json<NewApplication>, ApiError> {
    match state.ask(|ticket| Input::NewApplication { ticket }).await? {
        Reply::NewApplication { application, largest_node } => Ok(Json(NewApplication {
            application_id: application,
            maximum_resource_capability: largest_node.into(),
        })),
        other => Err(unexpected(&other)),
    }
}

/// Submits an application. Answers when the submission is durable.
pub async fn submit(
    request: HttpRequest,
    state: Data<State>,
    caller: Query<Caller>,
    body: Json<Submission>,
) -> Result<HttpResponse, ApiError> {
    let application = body.application_id;
    let submission = read(body.into_inner(), caller.name(&request))?;
    let artifacts = Arc::clone(&state.artifacts);
    let checked = web::block(move || check_artifacts(&artifacts, submission)).await;
    let submission = checked
        .map_err(|_| ApiError::unavailable(codes::ENDING, "the resource manager is ending"))??;
    match state.ask(|ticket| Input::Submit { ticket, submission }).await? {
        Reply::Submitted(_) => {
            state.publish().await;
            let location = Links::of(&request).application(application);
            Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).finish())
        }
        other => Err(unexpected(&other)),
    }
}

fn refused(application: ApplicationId, problem: &str) -> ApiError {
    ApiError::bad_request(
        codes::BAD_SUBMISSION,
        format!("the submission of {application} is not valid: {problem}"),
    )
}

fn read(body: Submission, user: String) -> Result<ApplicationSpec, ApiError> {
    let application = body.application_id;
    if body.unmanaged_am {
        return Err(refused(application, "app masters outside of the cluster are not supported"));
    }
    if body.keep_containers_across_application_attempts {
        let problem = "containers end with the attempt that leased them; remove \
                       keep-containers-across-application-attempts";
        return Err(refused(application, problem));
    }
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let resources = Resources::from(body.resource);
    Ok(ApplicationSpec {
        application,
        name: or(body.application_name, &application.to_string()),
        user,
        queue: or(body.queue, DEFAULT_QUEUE),
        application_type: or(body.application_type, DEFAULT_TYPE),
        tags: body.application_tags.tag,
        max_attempts: (body.max_app_attempts > 0).then_some(body.max_app_attempts),
        // A missing value becomes the minimum. The brain rounds memory up to the smallest lease.
        resources: Resources {
            memory_mib: resources.memory_mib.max(1),
            vcores: resources.vcores.max(1),
        },
        launch: launch(application, body.am_container_spec)?,
        artifacts: body.weir_artifacts,
    })
}

fn launch(application: ApplicationId, spec: ContainerSpec) -> Result<LaunchContext, ApiError> {
    let command: Vec<_> = spec.commands.command.split_whitespace().map(str::to_owned).collect();
    if command.is_empty() {
        return Err(refused(application, "am-container-spec.commands.command is empty"));
    }
    let environment = spec.environment.entry.into_iter().map(|entry| (entry.key, entry.value));
    let artifacts =
        spec.local_resources.entry.into_iter().map(|entry| artifact(application, entry));
    Ok(LaunchContext {
        command,
        environment: environment.collect(),
        artifacts: artifacts.collect::<Result<_, _>>()?,
    })
}

fn artifact(
    application: ApplicationId,
    entry: LocalResourceEntry,
) -> Result<ArtifactUse, ApiError> {
    let LocalResourceEntry { key: name, value } = entry;
    if !is_file_name(&name) {
        let problem = format!("the local resource {name:?} is not the name of a file");
        return Err(refused(application, &problem));
    }
    if !(value.kind.is_empty() || value.kind == "FILE") {
        let problem =
            format!("the local resource {name:?} has the type {:?}, not FILE", value.kind);
        return Err(refused(application, &problem));
    }
    let hash = value.resource.strip_prefix(ARTIFACT_SCHEME).and_then(|hash| hash.parse().ok());
    let Some(hash) = hash else {
        let problem = format!(
            "the local resource {name:?} is {:?}; upload the file and write \
             {ARTIFACT_SCHEME}<its SHA-256>",
            value.resource
        );
        return Err(refused(application, &problem));
    };
    Ok(ArtifactUse { name, hash, size_bytes: value.size, executable: value.executable })
}

/// Whether a name is a single path component, so that it stays in its folder.
fn is_file_name(name: &str) -> bool {
    (1..=FILE_NAME_MAX_BYTES).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.contains(['/', '\0'])
}

/// Refuses a submission with missing files, and sets the sizes of its files. Blocks on the file system.
fn check_artifacts(
    artifacts: &Artifacts,
    mut submission: ApplicationSpec,
) -> Result<ApplicationSpec, ApiError> {
    let application = submission.application;
    let size_of = |hash: ArtifactHash| {
        artifacts.look_up(hash).ok_or_else(|| {
            ApiError::bad_request(
                codes::MISSING_ARTIFACT,
                format!(
                    "the submission of {application} names the artefact {hash}, which is not here; \
                     upload it with PUT /ws/v1/cluster/artifacts/{hash}"
                ),
            )
        })
    };
    for artifact in &mut submission.launch.artifacts {
        artifact.size_bytes = size_of(artifact.hash)?;
    }
    submission.artifacts.iter().try_for_each(|hash| size_of(*hash).map(drop))?;
    Ok(submission)
}
