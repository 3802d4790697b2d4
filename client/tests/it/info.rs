//! `weir info`: the plan, and the check that `main` builds the same graph again.

use crate::fixture::{Ended, Folder, hello};
use weir_graph::{ChainingStrategy, Fingerprint, StreamGraph, StreamNode};
use weir_protocol::job_executable::{JobMessage, read_once_values};

const PLAN: &str = r#"{"nodes":[{"id":1,"type":"Source","pact":"Data Source"}]}"#;

fn graph(kind: &str) -> JobMessage {
    let node = StreamNode {
        operator_id: Default::default(),
        uid: None,
        name: "Tokens".to_owned(),
        kind: kind.to_owned(),
        parallelism: None,
        max_parallelism: None,
        fixed_parallelism: None,
        parallelism_of: None,
        chaining: ChainingStrategy::default(),
        states: Vec::new(),
        output: None,
        specification: Vec::new(),
        bounded: true,
        coordinator: false,
        commits: false,
    };
    let stream_graph = StreamGraph {
        nodes: vec![node],
        once: [("seed".to_owned(), vec![1, 200])].into(),
        ..StreamGraph::default()
    };
    JobMessage::Graph {
        ordinal: 0,
        fingerprint: Fingerprint::of(&stream_graph),
        stream_graph: Box::new(stream_graph),
        plan_json: PLAN.to_owned(),
        configuration: "{}".to_owned(),
    }
}

/// Says the same in both runs, or something else when there are values of an earlier run.
fn job(folder: &Folder, again: JobMessage) {
    folder.messages("first", &[hello(), graph("source")]);
    folder.messages("again", &[hello(), again]);
    folder.script(
        "job",
        "echo \"$WEIR_ROLE $@\"; if [ -e \"$WEIR_EXPECTED\" ]; then cp \"$WEIR_EXPECTED\" once; \
         echo \"$WEIR_EXPECTED\" > path; say again; else say first; fi",
    );
}

#[test]
fn plan_is_printed_in_flinks_frame() {
    let folder = Folder::new();
    job(&folder, graph("source"));
    let ended = folder.weir(&["info", "job", "--input", "x"]);
    let expect = "\
----------------------- Execution Plan -----------------------
{
  \"nodes\": [
    {
      \"id\": 1,
      \"type\": \"Source\",
      \"pact\": \"Data Source\"
    }
  ]
}
--------------------------------------------------------------

No description provided.
";
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), expect), "{ended:#?}");
    // The output of the program is not mixed into the plan, and is shown once.
    assert_eq!(ended.stderr, "client --input x\n");
}

#[test]
fn json_is_the_plan_and_nothing_else() {
    let folder = Folder::new();
    job(&folder, graph("source"));
    let ended = folder.weir(&["info", "--output", "json", "job"]);
    assert_eq!(ended.code, Some(0));
    let plan: serde_json::Value = serde_json::from_str(&ended.stdout).expect("only JSON");
    assert_eq!(plan, serde_json::from_str::<serde_json::Value>(PLAN).expect("JSON"));
}

#[test]
fn second_run_gets_the_once_values_of_the_first_and_leaves_nothing_behind() {
    let folder = Folder::new();
    job(&folder, graph("source"));
    assert_eq!(folder.weir(&["info", "job"]).code, Some(0));
    let values = std::fs::read(folder.path("once")).expect("copied by the second run");
    let values = read_once_values(&mut values.as_slice()).expect("as written");
    assert_eq!(values, [("seed".to_owned(), vec![1, 200])].into());
    assert!(!std::path::Path::new(folder.read("path").trim_end()).exists());
}

#[test]
fn graph_that_differs_in_the_second_run_is_refused() {
    let folder = Folder::new();
    job(&folder, graph("map"));
    let ended = folder.weir(&["info", "job"]);
    ended.fails(
        1,
        &[
            "main builds a different graph when it runs again: operator 1 (\"Tokens\") differs: \
             its kind was source (named \"Tokens\"), now is map (named \"Tokens\")",
            "env.once",
            "WEIR-CLI-0006",
        ],
    );
    assert!(ended.stdout.contains("Execution Plan"));
}

#[test]
fn failure_of_each_run_is_printed() {
    let folder = Folder::new();
    let failure = JobMessage::Failed {
        job: None,
        code: "WEIR-API-0001".to_owned(),
        message: "two operators have the uid \"a\"".to_owned(),
        runtime_ms: None,
    };
    folder.job("bad", &[hello(), failure.clone()], "exit 1");
    folder.weir(&["info", "bad"]).fails(1, &["bad built no job: two operators", "WEIR-API-0001"]);
    job(&folder, failure);
    let what = "main was run a second time, and then: job built no job: two operators";
    folder.weir(&["info", "job"]).fails(1, &[what]);
}

#[test]
fn reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    job(&folder, graph("source"));
    let mut child = folder.start(&mut folder.command(&["info", "job"]));
    drop(child.stdout.take());
    assert_eq!(Ended::of(child).code, Some(0));
}
