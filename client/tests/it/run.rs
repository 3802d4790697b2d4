//! `weir run`: the arguments of the program, and the result of its end.

use crate::fixture::{Folder, failed, finished, hello, submitted};
use std::fs;
use weir_base::JobId;

fn whole_job() -> [weir_protocol::job_executable::JobMessage; 3] {
    [hello(), submitted("count"), finished("count")]
}

#[test]
fn program_gets_its_arguments_streams_and_environment() {
    let folder = Folder::new();
    folder.job(
        "job",
        &whole_job(),
        "printf '%s|' \"$@\"; env | grep '^WEIR_' | sort > environment; ls /dev/fd/ > descriptors",
    );
    let line =
        ["run", "-t", "local", "-p", "3", "-D", "weir.progress=NEVER", "job", "-p", "0", "a b"];
    let ended = folder.weir(&line);
    ended.succeeds();
    assert_eq!(ended.stdout, "-p|0|a b|");
    let environment = folder.read("environment");
    let json = concat!(
        r#"{"execution.target":{"value":"local","source":{"flag":"-t"}},"#,
        r#""parallelism.default":{"value":"3","source":{"flag":"-p"}},"#,
        r#""weir.progress":{"value":"NEVER","source":"dynamic"}}"#,
    );
    let mut lines = environment.lines();
    assert_eq!(lines.next(), Some(&*format!("WEIR_CONFIGURATION={json}")));
    let descriptor = |line: Option<&str>, name: &str| -> u32 {
        let value = line.and_then(|line| line.strip_prefix(name)).expect("its place in the order");
        value.parse().expect("a number")
    };
    let lifeline = descriptor(lines.next(), "WEIR_LIFELINE_FD=");
    let parent = descriptor(lines.next(), "WEIR_PARENT_FD=");
    assert_eq!(lines.collect::<Vec<_>>(), ["WEIR_ROLE=local"]);
    let descriptors = folder.read("descriptors");
    for inherited in [lifeline, parent] {
        assert!(descriptors.lines().any(|fd| fd == inherited.to_string()), "{descriptors}");
    }
}

#[test]
fn layers_of_configuration_are_put_together() {
    let folder = Folder::new();
    folder.job("job", &whole_job(), "echo \"$WEIR_CONFIGURATION\"");
    let file = "parallelism.default: 7\npipeline.name: from the file\nweir.progress: NEVER\n";
    fs::create_dir(folder.path("conf")).expect("new");
    folder.file("conf/weir.yaml", file, 0o644);
    let mut command = folder.command(&["run", "-D", "weir.progress=ALWAYS", "job"]);
    let command = command.env("WEIR_CONF_DIR", "conf").env("WEIR_CONF_PIPELINE_NAME", "variable");
    let ended = crate::fixture::Ended::of(folder.start(command));
    ended.succeeds();
    let expect = serde_json::json!({
        "parallelism.default":
            {"value": "7", "source": {"file": {"path": "conf/weir.yaml", "line": 1}}},
        "pipeline.name":
            {"value": "variable", "source": {"variable": "WEIR_CONF_PIPELINE_NAME"}},
        "weir.progress": {"value": "ALWAYS", "source": "dynamic"},
    });
    assert_eq!(ended.json(), expect);
}

#[test]
fn warnings_of_the_configuration_are_printed() {
    let folder = Folder::new();
    folder.job("job", &whole_job(), "");
    let ended = folder.weir(&["run", "-D", "state.savepoints.dir=/tmp", "job"]);
    ended.fails(0, &["warning: state.savepoints.dir in a -D argument is ignored"]);
}

#[test]
fn weir_adds_nothing_to_what_a_job_prints() {
    let folder = Folder::new();
    folder.job("job", &whole_job(), "echo out; echo err >&2");
    let ended = folder.weir(&["run", "job"]);
    ended.fails(0, &["err\n"]);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
    folder.job("job", &[hello(), submitted("count"), failed("count")], "echo err >&2; exit 1");
    let ended = folder.weir(&["run", "job"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "err\n"));
}

#[test]
fn json_tells_of_the_job_on_the_last_line() {
    let folder = Folder::new();
    folder.job("job", &whole_job(), "echo \"$WEIR_OUTPUT $WEIR_CONFIGURATION\"");
    let ended = folder.weir(&["run", "--output", "json", "job"]);
    ended.succeeds();
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(
        lines[0],
        r#"quiet {"weir.progress":{"value":"NEVER","source":{"flag":"--output"}}}"#
    );
    let id = JobId::of_text("count").to_string();
    let expect = serde_json::json!({
        "job-id": id, "name": "count", "status": "FINISHED", "runtime-ms": 42,
    });
    assert_eq!(ended.json(), expect);
}

#[test]
fn json_tells_of_failures_too() {
    let folder = Folder::new();
    folder.job("job", &[hello(), submitted("count"), failed("count")], "exit 1");
    let ended = folder.weir(&["run", "--output", "json", "job"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.json()["status"], "FAILED");
    assert_eq!(ended.json()["failure"]["code"], "WEIR-RUN-0001");
    let ended = folder.weir(&["run", "--output", "json", "missing"]);
    ended.fails(1, &["WEIR-CLI-0001"]);
    assert_eq!(ended.json()["job-id"], serde_json::Value::Null);
    assert_eq!(ended.json()["failure"]["code"], "WEIR-CLI-0001");
}

#[test]
fn variables_of_an_outer_weir_are_not_passed_on() {
    let folder = Folder::new();
    folder.job("job", &whole_job(), "echo \"$WEIR_ROLE $WEIR_EXPECTED $WEIR_OUTPUT.\"");
    let mut command = folder.command(&["run", "job"]);
    let command = command.env("WEIR_ROLE", "task").env("WEIR_EXPECTED", "/x");
    let command = command.env("WEIR_OUTPUT", "quiet");
    let ended = crate::fixture::Ended::of(folder.start(command));
    assert_eq!(ended.stdout, "local  .\n");
}
