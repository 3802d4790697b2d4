//! The HTTP server of a daemon: one port, checks on every request, errors in the daemon's format.

use super::{
    connections::{self, Connections},
    guard,
};
use crate::error::Error;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, ResponseError,
    body::MessageBody,
    dev::{ServerHandle, ServiceRequest, ServiceResponse},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use serde_json::{Value, json};
use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

/// Maximum size of a body that is neither msgpack nor an artefact.
const MAX_JSON_BYTES: usize = 4 * 1024 * 1024;
/// Timeout for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Open connections per worker at most; those without a token have a lower limit.
const MAX_CONNECTIONS: usize = 4096;

/// Format of errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorStyle {
    /// `{"RemoteException": {"exception", "javaClassName", "message", "code"}}`
    Yarn,
    /// `{"errors": ["message [CODE]"]}`
    Flink,
}

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Name of the daemon, for errors and logs.
    pub name: &'static str,
    /// Address to listen at; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Format of its errors.
    pub error_style: ErrorStyle,
    /// Accepted `Host` names besides addresses and `localhost`.
    pub allowed_hosts: Vec<String>,
    /// Threads that handle requests; at least 1.
    pub workers: usize,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// The bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting requests; requests under way get a short time.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// Starts a server in the current actix system.
///
/// # Errors
/// The address cannot be bound.
pub fn bind(
    config: ServerConfig,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Server, Error> {
    listen(&config)?.serve(config, configure)
}

/// A bound port without a server yet, for callers that must know the port before requests come.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// Binds the port of a server.
///
/// # Errors
/// The address cannot be bound.
pub fn listen(config: &ServerConfig) -> Result<Listener, Error> {
    let refused = |source| refused(config, source);
    let listener = TcpListener::bind(config.bind).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Listener { listener, address })
}

fn refused(config: &ServerConfig, source: io::Error) -> Error {
    let (name, address) = (config.name, config.bind);
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse { name, address },
        _ => Error::Bind { name, address, source },
    }
}

impl Listener {
    /// The bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves requests from now on, in the current actix system.
    ///
    /// # Errors
    /// The operating system refuses a resource.
    pub fn serve(
        self,
        config: ServerConfig,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<Server, Error> {
        let shape = Arc::new(Shape {
            error_style: config.error_style,
            allowed_hosts: config.allowed_hosts.clone(),
        });
        let pending = Connections::new(config.name);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::from(Arc::clone(&shape)))
                .app_data(web::JsonConfig::default().limit(MAX_JSON_BYTES).error_handler(bad_json))
                .app_data(web::QueryConfig::default().error_handler(bad_query))
                .app_data(web::PathConfig::default().error_handler(bad_path))
                .wrap(from_fn(check_and_shape))
                .configure(configure.clone())
                .default_service(web::to(not_found))
        })
        .on_connect(move |stream, data| pending.admit(stream, data))
        .workers(config.workers.max(1))
        .worker_max_blocking_threads(2)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        // The work for a request stops when its client disconnects.
        .h1_allow_half_closed(false)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(self.listener)
        .map_err(|source| refused(&config, source))?
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok(Server { address: self.address, handle })
    }
}

struct Shape {
    error_style: ErrorStyle,
    allowed_hosts: Vec<String>,
}

/// Checks the request, and converts errors to the server's format.
async fn check_and_shape(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    connections::renew(request.request());
    let shape = request.app_data::<Data<Shape>>().cloned();
    let shape = shape.expect("bind puts it there");
    if let Err(error) = guard::check(request.headers(), &shape.allowed_hosts) {
        let response = error.to_response(shape.error_style);
        return Ok(request.into_response(response).map_into_right_body());
    }
    let response = next.call(request).await?;
    // The framework has already converted a handler's error to a response, which still holds the error.
    match response.response().error().map(ApiError::of_actix) {
        Some(error) => {
            let shaped = error.to_response(shape.error_style);
            Ok(response.into_response(shaped).map_into_right_body())
        }
        None => Ok(response.map_into_left_body()),
    }
}

async fn not_found(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found("WEIR-HTTP-0014", format!("Not found: {}", request.uri())))
}

fn bad_json(error: actix_web::error::JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    use actix_web::error::JsonPayloadError as Bad;
    let too_large = matches!(error, Bad::Overflow { .. } | Bad::OverflowKnownLength { .. });
    let status = if too_large { 413 } else { 400 };
    let message = format!("the body is not the expected JSON: {error}");
    ApiError::new(status, "WEIR-HTTP-0015", message).into()
}

fn bad_query(error: actix_web::error::QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    ApiError::bad_request("WEIR-HTTP-0015", format!("the query is wrong: {error}")).into()
}

fn bad_path(error: actix_web::error::PathError, _: &HttpRequest) -> actix_web::Error {
    ApiError::bad_request("WEIR-HTTP-0015", format!("the path is wrong: {error}")).into()
}

/// An error answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiError {
    status: u16,
    code: String,
    message: String,
}

impl ApiError {
    /// An error with this HTTP status.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// 400: the request is invalid.
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 401: a token is missing or wrong.
    pub fn unauthorized(code: &str, message: impl Into<String>) -> Self {
        Self::new(401, code, message)
    }

    /// 403: not allowed for this caller.
    pub fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// 404: not found.
    pub fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// 409: not possible in the current state.
    pub fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// 503: temporarily unavailable.
    pub fn unavailable(code: &str, message: impl Into<String>) -> Self {
        Self::new(503, code, message)
    }

    /// 500: a defect of the server.
    pub fn internal(code: &str, message: impl Into<String>) -> Self {
        Self::new(500, code, message)
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An error of the framework, usually a bad request.
    fn of_actix(error: &actix_web::Error) -> Self {
        match error.as_error::<Self>() {
            Some(error) => error.clone(),
            None => {
                let status = error.as_response_error().status_code().as_u16();
                Self::new(status, "WEIR-HTTP-0015", error.to_string())
            }
        }
    }

    fn to_response(&self, style: ErrorStyle) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        HttpResponse::build(status)
            .insert_header((CONTENT_TYPE, "application/json; charset=UTF-8"))
            .body(self.to_json(style).to_string())
    }

    /// The body in the given format.
    pub fn to_json(&self, style: ErrorStyle) -> Value {
        match style {
            ErrorStyle::Yarn => {
                let (exception, class) = java_names(self.status);
                json!({"RemoteException": {
                    "exception": exception,
                    "javaClassName": class,
                    "message": self.message,
                    "code": self.code,
                }})
            }
            // Flink's clients compare Flink's own messages, so these have no code.
            ErrorStyle::Flink if self.code.is_empty() => json!({"errors": [self.message]}),
            ErrorStyle::Flink => json!({"errors": [format!("{} [{}]", self.message, self.code)]}),
        }
    }
}

/// Exception names that YARN's clients know.
fn java_names(status: u16) -> (&'static str, &'static str) {
    match status {
        400 | 413 => ("BadRequestException", "org.apache.hadoop.yarn.webapp.BadRequestException"),
        401 => (
            "AuthorizationException",
            "org.apache.hadoop.security.authorize.AuthorizationException",
        ),
        403 => ("ForbiddenException", "org.apache.hadoop.yarn.webapp.ForbiddenException"),
        404 => ("NotFoundException", "org.apache.hadoop.yarn.webapp.NotFoundException"),
        409 => ("ConflictException", "org.apache.hadoop.yarn.webapp.ConflictException"),
        _ => ("YarnRuntimeException", "org.apache.hadoop.yarn.exceptions.YarnRuntimeException"),
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Used only without the server's middleware, in tests of a handler.
    fn error_response(&self) -> HttpResponse {
        self.to_response(ErrorStyle::Yarn)
    }
}
