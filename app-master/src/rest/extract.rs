//! Arguments and answers of handlers: the job at one moment, the vertex of a path, JSON.

use crate::observed::{Observed, Reading, VertexReading};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    dev::Payload,
    http::{StatusCode, header::CONTENT_TYPE},
    web::Data,
};
use serde::Serialize;
use std::{future::Ready, future::ready, str::FromStr};
use weir_base::{JobId, VertexId};
use weir_service::ApiError;

/// A parameter of a path or query makes no sense.
pub(super) const BAD_PARAMETER: &str = "WEIR-AM-0101";
/// No such job, vertex, subtask, checkpoint or task manager.
pub(super) const UNKNOWN: &str = "WEIR-AM-0102";

/// The longest that a request may wait for news, in milliseconds.
pub(super) const MAX_WAIT_MS: u64 = 60_000;

/// A body of JSON, with the media type that Flink gives.
pub(super) struct Answer<T>(pub T);

impl<T: Serialize> Answer<T> {
    /// As the response with this status.
    pub fn response(&self, status: StatusCode) -> HttpResponse {
        match serde_json::to_string(&self.0) {
            Ok(json) => HttpResponse::build(status)
                .insert_header((CONTENT_TYPE, "application/json; charset=UTF-8"))
                .body(json),
            Err(error) => {
                let problem = format!("the answer has no JSON: {error}");
                HttpResponse::from_error(ApiError::internal("WEIR-HTTP-0015", problem))
            }
        }
    }
}

impl<T: Serialize> Responder for Answer<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.response(StatusCode::OK)
    }
}

/// The job at one moment, for paths that name none.
pub(super) struct Now(pub Reading);

/// The job of the path, not read yet: for handlers that wait first.
pub(super) struct JobOfPath(pub Data<Observed>);

/// The job of the path at one moment.
pub(super) struct Job(pub Reading);

/// The vertex of the path, with its job.
pub(super) struct Vertex {
    pub reading: Reading,
    place: usize,
}

impl Vertex {
    /// The vertex.
    pub fn get(&self) -> &VertexReading {
        &self.reading.vertices[self.place]
    }
}

/// Implements an extractor that is done at once.
macro_rules! extracted {
    ($name:ty, $request:ident => $body:expr) => {
        impl FromRequest for $name {
            type Error = ApiError;
            type Future = Ready<Result<Self, ApiError>>;

            fn from_request($request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready($body)
            }
        }
    };
}

extracted!(Now, request => Ok(Self(observed(request).read())));
extracted!(JobOfPath, request => job_of(request).map(Self));
extracted!(Job, request => job_of(request).map(|job| Self(job.read())));
extracted!(Vertex, request => vertex_of(request));

fn observed(request: &HttpRequest) -> Data<Observed> {
    request.app_data::<Data<Observed>>().cloned().expect("configure puts it there")
}

fn job_of(request: &HttpRequest) -> Result<Data<Observed>, ApiError> {
    let id: JobId = parameter(request, "jobid")?;
    let observed = observed(request);
    if id != observed.facts().submission.job {
        return Err(ApiError::not_found(UNKNOWN, format!("Job {id} not found")));
    }
    Ok(observed)
}

fn vertex_of(request: &HttpRequest) -> Result<Vertex, ApiError> {
    let reading = job_of(request)?.read();
    let id: VertexId = parameter(request, "vertexid")?;
    let place = reading.vertices.iter().position(|vertex| vertex.id == id);
    match place {
        Some(place) => Ok(Vertex { reading, place }),
        None => {
            let job = reading.facts.submission.job;
            let text = format!("JobVertex {id} of job {job} not found");
            Err(ApiError::not_found(UNKNOWN, text))
        }
    }
}

/// A parsed parameter of the path.
pub(super) fn parameter<T: FromStr>(request: &HttpRequest, name: &str) -> Result<T, ApiError> {
    let text = request.match_info().query(name);
    text.parse().map_err(|_| {
        let problem = format!("cannot resolve path parameter ({name}) from value {text:?}");
        ApiError::bad_request(BAD_PARAMETER, problem)
    })
}
