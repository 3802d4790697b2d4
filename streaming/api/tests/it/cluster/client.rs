//! Role client with a parent that answers.

use super::{Pipes, Process, SUBMITTED, configuration};
use crate::support::{Folder, within_patience};
use weir_base::JobId;
use weir_protocol::{
    cluster::RecordedResult,
    job_executable::{JobAnswer, JobMessage, Launch, Role, read_message, write_answer},
};

/// A program in role client, with the test as its parent.
struct Client {
    process: Process,
    folder: Folder,
}

impl Client {
    fn start(plot: &str) -> Self {
        Self::start_in(Folder::new(), plot)
    }

    fn start_in(folder: Folder, plot: &str) -> Self {
        let launch = Launch {
            role: Role::Client,
            configuration: Some(configuration().to_json()),
            ..Launch::default()
        };
        let process = Process::start(&folder, plot, launch, Pipes::Answers);
        Self { process, folder }
    }

    fn answer(&mut self, answer: &JobAnswer) {
        write_answer(&mut self.process.answers, answer).expect("it listens");
    }

    /// The next graph: ordinal, name, once values.
    fn graph(&mut self) -> (u32, String, usize) {
        match self.message() {
            Some(JobMessage::Graph { ordinal, stream_graph, .. }) => {
                (ordinal, stream_graph.name.clone(), stream_graph.once.len())
            }
            other => panic!("expected a graph, got {other:?}"),
        }
    }

    fn message(&mut self) -> Option<JobMessage> {
        match read_message(&mut self.process.messages).expect("sound") {
            Some(JobMessage::Hello { .. }) => self.message(),
            message => message,
        }
    }

    /// How often its actions on submit have run.
    fn submitted(&self) -> usize {
        let lines = std::fs::read_to_string(self.folder.path(SUBMITTED));
        lines.map_or(0, |lines| lines.lines().count())
    }

    /// Waits for its end; what it printed.
    #[track_caller]
    fn printed(&mut self) -> String {
        assert_eq!(self.message(), None);
        let (status, printed, complaint) = self.process.end();
        assert!(status.success(), "{printed}{complaint}");
        printed
    }
}

fn finished(name: &str) -> JobAnswer {
    let operators = vec![("a".to_owned(), 2, 3, 4), ("b".to_owned(), 1, 4, 0)];
    let (job, name) = (JobId::of_text(name), name.to_owned());
    let result = RecordedResult { job, name, runtime_ms: 1234, operators, ..Default::default() };
    JobAnswer::Finished(result)
}

#[test]
fn main_continues_after_a_job_that_has_finished() {
    within_patience(|| {
        let mut client = Client::start("two jobs");
        assert_eq!(client.graph(), (0, "first".to_owned(), 1));
        assert_eq!(client.submitted(), 0, "the action was given to another environment");
        client.answer(&JobAnswer::Accepted { job: JobId::of_text("first") });
        client.answer(&finished("first"));
        // The value of `once` is asked for before the first job and used behind it.
        assert_eq!(client.graph(), (1, "count".to_owned(), 1));
        assert_eq!(client.submitted(), 1, "before the graph is handed over");
        client.answer(&JobAnswer::Accepted { job: JobId::of_text("count") });
        client.answer(&finished("count"));
        let printed = client.printed();
        assert!(printed.contains("first: first in 1234 ms"), "{printed}");
        assert!(printed.contains("count: 2 operators"), "{printed}");
        assert_eq!(client.submitted(), 1);
    });
}

#[test]
fn a_failed_action_keeps_the_job_from_being_submitted() {
    within_patience(|| {
        let folder = Folder::new();
        std::fs::create_dir(folder.path(SUBMITTED)).expect("writable");
        let mut client = Client::start_in(folder, "count");
        match client.message() {
            Some(JobMessage::Failed { job: None, code, .. }) => assert_eq!(code, "WEIR-RUN-0008"),
            other => panic!("expected a failure, got {other:?}"),
        }
        let printed = client.printed();
        assert!(printed.contains("env.on_submit returned: Is a directory"), "{printed}");
    });
}

#[test]
fn each_last_answer_is_what_execute_returns() {
    let refused = JobAnswer::Failed { code: "WEIR-RM-0007".into(), message: "too large".into() };
    let cases = [
        (true, JobAnswer::Detached, "count: 0 operators"),
        (true, JobAnswer::Canceled, "count: job was cancelled [WEIR-RUN-0002]"),
        (true, refused.clone(), "count: too large [WEIR-RM-0007]"),
        (false, refused, "count: too large [WEIR-RM-0007]"),
    ];
    within_patience(move || {
        for (is_accepted, last, shown) in cases {
            let mut client = Client::start("count");
            client.graph();
            if is_accepted {
                client.answer(&JobAnswer::Accepted { job: JobId::of_text("count") });
            }
            client.answer(&last);
            let printed = client.printed();
            assert!(printed.contains(shown), "{last:?}: {printed}");
        }
    });
}

#[test]
fn a_parent_that_stops_answering_is_an_error() {
    within_patience(|| {
        let mut client = Client::start("count");
        client.graph();
        // The answering end is closed without an answer.
        let (_, unused) = std::io::pipe().expect("a pipe");
        drop(std::mem::replace(&mut client.process.answers, unused));
        assert!(client.printed().contains("WEIR-CLI-0101"));

        let mut client = Client::start("count");
        client.graph();
        std::io::Write::write_all(&mut client.process.answers, b"nonsense").expect("it listens");
        assert!(client.printed().contains("WEIR-CLI-0102"));
    });
}

#[test]
fn a_job_on_a_cluster_is_cancelled_by_its_client() {
    within_patience(|| {
        let mut client = Client::start("async");
        client.graph();
        let job = JobId::of_text("async");
        client.answer(&JobAnswer::Accepted { job });
        assert_eq!(client.message(), Some(JobMessage::Cancel { job }));
        client.answer(&JobAnswer::Canceled);
        let printed = client.printed();
        assert!(printed.contains(&format!("accepted: {job} Running")), "{printed}");
    });
}
