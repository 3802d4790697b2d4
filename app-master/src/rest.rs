//! The REST interface of a job, in Flink's shapes; one file per resource.
//!
//! Every path is there twice: bare, as Flink's dashboard asks, and below `/v1`, as its command line
//! does. A handler reads one snapshot of the job and turns it into a type of the protocol; whatever
//! does so is a pure function, so that what is archived at the end is what was shown before.
//! `docs/rest.md` lists the paths and where they differ from Flink's.

mod archive;
mod backpressure;
mod checkpoints;
mod cluster;
mod exceptions;
mod extract;
#[cfg(test)]
pub(crate) mod fixture;
mod jobs;
mod metrics;
mod metrics_queries;
mod plan;
mod prometheus;
mod result;
mod statistics;
mod task_managers;
#[cfg(test)]
mod tests;
mod times;
mod vertices;

pub use archive::archive;

use crate::observed::Observed;
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Responder,
    web::{self, Data, ServiceConfig},
};
use std::sync::Arc;
use weir_service::ApiError;

/// Actions of the REST interface on the job, and the token that they need.
pub trait JobControl: Send + Sync + 'static {
    /// Asks the job to end.
    fn cancel(&self);

    /// Whether a request carries what it takes to change something.
    ///
    /// # Errors
    /// It does not.
    fn may_change(&self, request: &HttpRequest) -> Result<(), ApiError>;
}

/// Registers every path of the job's interface.
pub fn configure(
    observed: Observed,
    control: Arc<dyn JobControl>,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config.app_data(Data::new(observed.clone())).app_data(Data::from(Arc::clone(&control)));
        for prefix in ["", "/v1"] {
            let mut paths = Paths { config, prefix };
            // First: `/jobs/metrics` would else be taken for a job.
            metrics_queries::configure(&mut paths);
            cluster::configure(&mut paths);
            jobs::configure(&mut paths);
            plan::configure(&mut paths);
            result::configure(&mut paths);
            exceptions::configure(&mut paths);
            checkpoints::configure(&mut paths);
            backpressure::configure(&mut paths);
            vertices::configure(&mut paths);
            task_managers::configure(&mut paths);
            prometheus::configure(&mut paths);
        }
    }
}

/// Paths below one prefix. The first that fits a request is taken.
struct Paths<'a> {
    config: &'a mut ServiceConfig,
    prefix: &'static str,
}

impl Paths<'_> {
    /// A path that is only read.
    fn get<F, Args>(&mut self, path: &str, handler: F)
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let resource = web::resource(format!("{}{path}", self.prefix));
        let resource = resource.route(web::get().to(handler));
        self.config.service(resource.default_service(web::to(not_found)));
    }
}

/// As for a path that does not exist; Flink makes no difference either.
async fn not_found(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let text = format!("Not found: {}", request.uri());
    Err(ApiError::not_found("WEIR-HTTP-0014", text))
}
