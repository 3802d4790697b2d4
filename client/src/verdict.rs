//! The verdict on the end of a program: pure, from its transcript.
//!
//! | it was or told | and then | verdict |
//! |---|---|---|
//! | another protocol version, or no messages | | problem 0005, 01xx |
//! | | ended by a signal | problem 0009 |
//! | no hello | | problem 0003 |
//! | a failed or cancelled job | ended with an exit code | told: it has printed its error |
//! | no such job | ended with an exit code | problem 0008 |
//! | no job | ended well | problem 0004 |
//! | a job | ended well | success |

use crate::problem::{Problem, with_causes};
use crate::supervise::{Refusal, Transcript};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use weir_graph::{Fingerprint, StreamGraph};
use weir_protocol::job_executable::{JobMessage, PROTOCOL};

/// The verdict on the end of a program in the role local.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It ended well.
    Success,
    /// It failed and has reported the reason.
    Told,
    /// It failed, and this is why.
    Problem(Problem),
}

/// The first job of a program.
#[derive(Clone, Copy, Debug)]
pub struct ProgramPlan<'a> {
    /// The graph with the values of `env.once`.
    pub stream_graph: &'a StreamGraph,
    pub fingerprint: &'a Fingerprint,
    /// The plan as JSON.
    pub json: &'a str,
}

/// Judges a program in role local.
pub fn of_run(executable: &Path, transcript: &Transcript) -> Verdict {
    let told = |wanted: fn(&JobMessage) -> bool| transcript.messages.iter().any(wanted);
    let failed = told(|message| match message {
        JobMessage::Failed { .. } => true,
        JobMessage::Finished { status, .. } => status != "FINISHED",
        _ => false,
    });
    let had_a_job = failed || told(|message| matches!(message, JobMessage::Submitted { .. }));
    let verdict = sound(executable, transcript).and_then(|()| match transcript.status.code() {
        Some(0) if had_a_job => Ok(Verdict::Success),
        Some(0) => Err(no_job()),
        _ if failed => Ok(Verdict::Told),
        _ => Err(ended_badly(executable, transcript.status)),
    });
    verdict.unwrap_or_else(Verdict::Problem)
}

/// Judges a program in role client, and finds the plan it handed over.
pub fn of_plan<'a>(
    executable: &Path,
    transcript: &'a Transcript,
) -> Result<ProgramPlan<'a>, Problem> {
    sound(executable, transcript)?;
    for message in &transcript.messages {
        match message {
            JobMessage::Failed { code, message, .. } => {
                let what = format!("{} built no job: {message}", executable.display());
                return Err(Problem::failure(code, what));
            }
            JobMessage::Graph { stream_graph, fingerprint, plan_json, .. } => {
                return Ok(ProgramPlan { stream_graph, fingerprint, json: plan_json });
            }
            _ => {}
        }
    }
    match transcript.status.success() {
        true => Err(no_job()),
        false => Err(ended_badly(executable, transcript.status)),
    }
}

/// Refuses what is no whole transcript of a Weir job.
fn sound(executable: &Path, transcript: &Transcript) -> Result<(), Problem> {
    let status = transcript.status;
    let signal = status.signal().filter(|_| !transcript.killed);
    match (&transcript.refusal, signal) {
        (Some(Refusal::Protocol { protocol, weir_version }), _) => {
            return Err(other_release(executable, *protocol, weir_version));
        }
        // A message cut short by a crash: the crash is what counts.
        (_, Some(signal)) => return Err(ended_by_signal(executable, signal)),
        (Some(Refusal::Messages(error)), None) => {
            let what = format!("{}: {}", executable.display(), with_causes(error));
            let help = "something else in the program writes to the descriptor that WEIR_PARENT_FD \
                        names, or the executable is not a Weir job";
            return Err(Problem::failure(error.code(), what).help(help));
        }
        (None, None) => {}
    }
    let hello = |message: &JobMessage| matches!(message, JobMessage::Hello { .. });
    match transcript.messages.first().is_some_and(hello) {
        true => Ok(()),
        false => Err(no_weir_job(executable, status)),
    }
}

fn no_weir_job(executable: &Path, status: ExitStatus) -> Problem {
    let name = executable.display();
    let (what, help) = match status.code() {
        Some(0) => (
            format!(
                "{name} is not a Weir job: it ended without creating a StreamExecutionEnvironment"
            ),
            "name an executable whose main builds a job with the crate weir",
        ),
        code => (
            format!(
                "{name} ended with exit code {} before it created a StreamExecutionEnvironment",
                code.unwrap_or_default()
            ),
            "the cause is what the program itself printed above, such as a wrong argument; if it \
             printed nothing, check that it is a Weir job",
        ),
    };
    Problem::failure("WEIR-CLI-0003", what).help(help)
}

fn no_job() -> Problem {
    let what = "The program didn't contain a Weir job. Perhaps you forgot to call execute() on the \
                execution environment.";
    Problem::failure("WEIR-CLI-0004", what)
}

fn other_release(executable: &Path, protocol: u32, weir_version: &str) -> Problem {
    let what = format!(
        "{} was built with Weir {weir_version} (protocol {protocol}), this is Weir {} (protocol \
         {PROTOCOL})",
        executable.display(),
        env!("CARGO_PKG_VERSION")
    );
    let help = "rebuild the job with the same release, or run it with the weir of its release";
    Problem::failure("WEIR-CLI-0005", what).help(help)
}

fn ended_badly(executable: &Path, status: ExitStatus) -> Problem {
    let code = status.code().unwrap_or_default();
    let what = format!("{} ended with exit code {code}", executable.display());
    Problem::failure("WEIR-CLI-0008", what).help("see what it printed above")
}

fn ended_by_signal(executable: &Path, signal: i32) -> Problem {
    let name = signal_hook::low_level::signal_name(signal);
    let name = name.map_or_else(|| format!("signal {signal}"), str::to_owned);
    let what = format!("{} was ended by {name}", executable.display());
    let help = match signal {
        libc::SIGKILL => {
            "by kill -9, or by the kernel because memory was exhausted (`dmesg | grep -i kill`)"
        }
        libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT => {
            "a user or another process asked it to end; this is not a defect of the program"
        }
        libc::SIGABRT => "it aborted, for example on a stack overflow or a failed allocation",
        _ => "it crashed, commonly in unsafe code or in a native library that it uses",
    };
    Problem::failure("WEIR-CLI-0009", what).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::JobId;
    use weir_protocol::job_executable::Error;

    fn transcript(messages: &[JobMessage], raw_status: i32) -> Transcript {
        Transcript {
            messages: messages.to_vec(),
            status: ExitStatus::from_raw(raw_status),
            refusal: None,
            killed: false,
        }
    }

    fn exit(code: i32) -> i32 {
        code << 8
    }

    fn hello() -> JobMessage {
        JobMessage::Hello { protocol: PROTOCOL, weir_version: "1".to_owned() }
    }

    fn submitted() -> JobMessage {
        JobMessage::Submitted { job: JobId::default(), name: "a".to_owned() }
    }

    fn failed() -> JobMessage {
        JobMessage::Failed {
            job: None,
            code: "WEIR-RUN-0001".into(),
            message: "b".into(),
            runtime_ms: None,
        }
    }

    fn graph() -> JobMessage {
        JobMessage::Graph {
            ordinal: 0,
            stream_graph: Box::default(),
            fingerprint: Fingerprint::default(),
            plan_json: "{}".to_owned(),
            configuration: "{}".to_owned(),
        }
    }

    fn code_of(verdict: Verdict) -> String {
        match verdict {
            Verdict::Problem(problem) => problem.code.expect("each has one"),
            verdict => format!("{verdict:?}"),
        }
    }

    #[test]
    fn run_is_judged_by_messages_and_end() {
        for (messages, status, expect) in [
            (&[hello(), submitted()][..], exit(0), "Success"),
            (&[hello(), submitted(), failed()], exit(1), "Told"),
            (&[hello(), failed()], exit(101), "Told"),
            // The program has dealt with the failure itself.
            (&[hello(), submitted(), failed()], exit(0), "Success"),
            (&[], exit(0), "WEIR-CLI-0003"),
            (&[], exit(3), "WEIR-CLI-0003"),
            (&[submitted()], exit(0), "WEIR-CLI-0003"),
            (&[hello()], exit(0), "WEIR-CLI-0004"),
            (&[hello()], exit(2), "WEIR-CLI-0008"),
            (&[hello(), submitted()], exit(2), "WEIR-CLI-0008"),
            (&[], libc::SIGKILL, "WEIR-CLI-0009"),
            (&[hello(), submitted(), failed()], libc::SIGSEGV, "WEIR-CLI-0009"),
        ] {
            let verdict = of_run(Path::new("job"), &transcript(messages, status));
            assert_eq!(code_of(verdict), expect, "{messages:?} {status}");
        }
    }

    #[test]
    fn plan_is_judged_by_messages_and_end() {
        for (messages, status, expect) in [
            (&[hello(), graph()][..], exit(0), "{}"),
            (&[hello(), failed()], exit(1), "WEIR-RUN-0001"),
            (&[hello()], exit(0), "WEIR-CLI-0004"),
            (&[hello()], exit(1), "WEIR-CLI-0008"),
            (&[], exit(0), "WEIR-CLI-0003"),
            (&[hello()], libc::SIGTERM, "WEIR-CLI-0009"),
        ] {
            let transcript = transcript(messages, status);
            let found = match of_plan(Path::new("job"), &transcript) {
                Ok(plan) => plan.json.to_owned(),
                Err(problem) => problem.code.expect("each has one"),
            };
            assert_eq!(found, expect, "{messages:?} {status}");
        }
    }

    #[test]
    fn crash_counts_more_than_the_message_it_cut_short() {
        let damaged = || Refusal::Messages(Error::Damaged { problem: "cut".to_owned() });
        for (status, killed, expect) in [
            (libc::SIGSEGV, false, "WEIR-CLI-0009"),
            (libc::SIGKILL, true, "WEIR-CLI-0103"),
            (exit(0), false, "WEIR-CLI-0103"),
        ] {
            let transcript =
                Transcript { refusal: Some(damaged()), killed, ..transcript(&[hello()], status) };
            assert_eq!(code_of(of_run(Path::new("job"), &transcript)), expect);
        }
    }

    #[test]
    fn signals_are_named() {
        let problem = ended_by_signal(Path::new("job"), libc::SIGKILL);
        assert_eq!(problem.what, "job was ended by SIGKILL");
        assert!(problem.help.is_some_and(|help| help.contains("memory was exhausted")));
    }
}
