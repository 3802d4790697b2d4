//! Errors on the way to a cluster, as they are printed.

use super::Target;
use crate::problem::{Problem, with_causes};
use std::error::Error;
use std::path::Path;
use weir_service::CallError;

/// No cluster was named, and none was started here.
pub fn no_cluster(data_dir: &Path) -> Problem {
    let what = format!(
        "no cluster is running that was started with the data folder {}",
        data_dir.display()
    );
    Problem::failure("WEIR-CLI-0201", what).help(
        "start one with `weir cluster start`, or name the address of a resource manager with \
         --cluster HOST:PORT",
    )
}

/// A call to the resource manager that did not succeed.
pub fn call_problem(target: &Target, error: CallError) -> Problem {
    match error {
        CallError::Unreachable { address, problem } => no_answer(&address, &problem),
        CallError::TimedOut { address, timeout_ms } => {
            no_answer(&address, &format!("no answer within {timeout_ms} ms"))
        }
        CallError::NotWeir { address } => not_weir(&address),
        CallError::Damaged { address, problem } => {
            let what = format!("the answer from {address} makes no sense: {problem}");
            Problem::failure("WEIR-CLI-0203", what)
                .help("check that a resource manager of Weir listens there, of this release")
        }
        error @ CallError::OtherVersion { .. } => {
            Problem::failure("WEIR-CLI-0203", error.to_string())
                .help("use the weir of the cluster's release")
        }
        CallError::Refused { status: 401, .. } => match &target.token {
            Some(_) => wrong_token(target),
            None => no_token(target),
        },
        // Something that answers 403, 404 or 500 without our code is another server.
        CallError::Refused { status, code, message } if code.is_empty() => {
            let what = format!("{} refuses with HTTP status {status}: {message}", target.address);
            Problem::failure("WEIR-CLI-0203", what)
                .help("check that a resource manager of Weir listens there, of this release")
        }
        CallError::Refused { code, message, .. } => Problem::failure(&code, message),
        CallError::File { problem } => {
            Problem::failure("WEIR-CLI-0209", format!("cannot upload {problem}"))
                .help("check that the file is still there and readable, and run it again")
        }
    }
}

fn no_answer(address: &str, problem: &str) -> Problem {
    let what = format!("no resource manager at {address}: {problem}");
    Problem::failure("WEIR-CLI-0202", what)
        .help("start one with `weir cluster start`, or name another with --cluster HOST:PORT")
}

/// Another program listens there.
pub fn not_weir(address: &str) -> Problem {
    let what = format!("the server at {address} is not a resource manager of Weir");
    Problem::failure("WEIR-CLI-0203", what).help("name another address with --cluster HOST:PORT")
}

/// It is of a release that this one does not understand.
pub fn other_release(address: &str, release: &str) -> Problem {
    let what = format!(
        "the resource manager at {address} is of Weir {release}, this is Weir {}",
        env!("CARGO_PKG_VERSION")
    );
    Problem::failure("WEIR-CLI-0203", what)
        .help("use the weir of the cluster's release; releases may differ by one")
}

/// The call needs a token, and none is known.
pub fn no_token(target: &Target) -> Problem {
    let what = format!("no token for the cluster at {}", target.address);
    Problem::failure("WEIR-CLI-0204", what).help(
        "name the file `token` of the cluster's data folder with --token-file, or set WEIR_TOKEN",
    )
}

/// The cluster refuses the token.
fn wrong_token(target: &Target) -> Problem {
    let Target { address, token_origin, .. } = target;
    let what = format!("the token {token_origin} is not the one of the cluster at {address}");
    Problem::failure("WEIR-CLI-0204", what).help(
        "name the file `token` of the cluster's data folder with --token-file, or set WEIR_TOKEN",
    )
}

/// The resource manager knows no such application.
pub fn no_application(typed: &str, address: &str) -> Problem {
    let what = format!("the cluster at {address} has no application {typed}");
    Problem::failure("WEIR-CLI-0206", what)
        .help("`weir application list --states ALL` shows the ones that it knows")
}

/// The system gives no event loop.
pub fn runtime_problem(error: &dyn Error) -> Problem {
    let what = format!("cannot prepare network connections: {}", with_causes(error));
    Problem { exit: crate::problem::Exit::Failure, code: None, what, help: None }
}

/// The text of a refusal, in whichever shape it came.
pub fn refusal(address: &str, status: u16, body: &str) -> CallError {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let remote = &json["RemoteException"];
    match remote.is_object() {
        true => CallError::Refused {
            status,
            code: text(&remote["code"]),
            message: text(&remote["message"]),
        },
        false => CallError::NotWeir { address: address.to_owned() },
    }
}
