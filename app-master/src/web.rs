//! The app master's HTTP port: REST in Flink's shapes, and the page.

use crate::{
    error::{Error, Result},
    observed::Observed,
    rest::{self, JobControl},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{self, Path},
};
use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
};
use weir_job_master::Handle;
use weir_service::{ApiError, ErrorStyle, Secret, Server, ServerConfig};

const NO_TOKEN: &str = "WEIR-AM-0015";

/// Who may do what to the job by REST: whoever has the attempt's token may cancel it.
pub struct Control {
    handle: Handle,
    /// As a secret, since it is compared as one.
    token: Secret,
}

impl Control {
    /// Control of this job by whoever has this token.
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

/// Ports that are tried when others are quicker.
const TRIES: usize = 16;

/// A port that was free just now. What the interface tells of itself must be known before it is open.
///
/// # Errors
/// The address is not ours.
pub fn free_port(host: IpAddr) -> Result<u16> {
    let refused = |source| Error::Listen { host: host.to_string(), source };
    let listener = TcpListener::bind((host, 0)).map_err(refused)?;
    Ok(listener.local_addr().map_err(refused)?.port())
}

/// Opens the port. `observe` is told the port that is tried.
///
/// # Errors
/// The address cannot be had.
pub fn serve(
    host: IpAddr,
    allowed_host: &str,
    control: &Arc<Control>,
    mut observe: impl FnMut(u16) -> Observed,
) -> Result<(Server, Observed)> {
    let mut tries = 1..;
    loop {
        let port = free_port(host)?;
        let observed = observe(port);
        let config = ServerConfig {
            name: "app master",
            bind: SocketAddr::new(host, port),
            error_style: ErrorStyle::Flink,
            allowed_hosts: vec![allowed_host.to_owned()],
            workers: 1,
        };
        let control = Arc::clone(control) as Arc<dyn JobControl>;
        let configure_rest = rest::configure(observed.clone(), control);
        let bound = weir_service::bind(config, move |service| {
            configure_rest(service);
            service.route("/{path:.*}", web::get().to(page));
        });
        match bound {
            Ok(server) => return Ok((server, observed)),
            Err(weir_service::Error::PortInUse { .. }) if tries.next() < Some(TRIES) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn page(path: Path<String>) -> std::result::Result<HttpResponse, ApiError> {
    match weir_web_ui::asset(&path) {
        Some(asset) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, asset.content_type))
            .body(asset.content.into_owned())),
        None => Err(ApiError::not_found("WEIR-HTTP-0014", format!("Not found: /{path}"))),
    }
}
