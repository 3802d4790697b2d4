//! The app master's HTTP port: REST in Flink's shapes, and the page.

use crate::{
    error::Result,
    observed::Observed,
    rest::{self, JobControl},
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Path},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use weir_job_master::Handle;
use weir_service::{ApiError, ErrorStyle, Secret, Server, ServerConfig};

const NO_TOKEN: &str = "WEIR-AM-0015";

/// Permissions on the REST interface: a client with the attempt's token may cancel the job.
pub struct Control {
    handle: Handle,
    /// As a secret, since it is compared as one.
    token: Secret,
}

impl Control {
    /// The token that permits to control this job.
    pub fn new(handle: Handle, token: String) -> Self {
        Self { handle, token: Secret::of_hex(token) }
    }
}

impl JobControl for Control {
    fn cancel(&self) {
        tracing::info!("the job is to be cancelled");
        self.handle.cancel();
    }

    fn may_change(&self, request: &HttpRequest) -> std::result::Result<(), ApiError> {
        match self.token.matches_bearer(request) {
            true => Ok(()),
            false => Err(ApiError::unauthorized(
                NO_TOKEN,
                "the request does not carry the token of this application; send it to the resource \
                 manager's proxy, with the cluster's token",
            )),
        }
    }
}

/// Opens the port. `observe` gets its number: the interface shows its own address, which must be known
/// before the first answer.
///
/// # Errors
/// The address cannot be had.
pub fn serve(
    host: IpAddr,
    allowed_host: &str,
    control: &Arc<Control>,
    observe: impl FnOnce(u16) -> Observed,
) -> Result<(Server, Observed)> {
    let config = ServerConfig {
        name: "app master",
        bind: SocketAddr::new(host, 0),
        error_style: ErrorStyle::Flink,
        allowed_hosts: vec![allowed_host.to_owned()],
        workers: 1,
    };
    let listener = weir_service::listen(&config)?;
    let observed = observe(listener.address().port());
    let control = Arc::clone(control) as Arc<dyn JobControl>;
    let configure_rest = rest::configure(observed.clone(), control);
    let server = listener.serve(config, move |service| {
        configure_rest(service);
        service.route("/{path:.*}", web::get().to(page));
    })?;
    Ok((server, observed))
}

async fn page(path: Path<String>) -> std::result::Result<HttpResponse, ApiError> {
    let missing = || ApiError::not_found("WEIR-HTTP-0014", format!("Not found: /{path}"));
    let asset = weir_web_ui::asset(&path).ok_or_else(missing)?;
    let mut response = HttpResponse::Ok();
    for header in asset.headers() {
        response.insert_header(header);
    }
    Ok(response.body(asset.content.into_owned()))
}
