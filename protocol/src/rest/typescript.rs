//! The shapes of answers that the page reads, as TypeScript: `web-ui/app/model/answers.ts` is generated from
//! the types of this module's parents, so that the page cannot differ from what the daemons send.

use super::{flink, yarn};
use std::{collections::BTreeMap, fs, path::Path};
use ts_rs::{Config, TS, TypeVisitor};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web-ui/app/model/answers.ts");
const HEAD: &str = "\
// Generated from the types of protocol/src/rest. After a change of these types, write this file again:
// WEIR_BLESS=1 cargo test -p weir-protocol --lib typescript
";

struct Declarations {
    config: Config,
    by_name: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Types that TypeScript has itself are in no file.
        if T::output_path().is_none() {
            return T::visit_generics(self);
        }
        let name = T::ident(&self.config);
        let declaration = T::decl(&self.config);
        match self.by_name.insert(name.clone(), declaration.clone()) {
            Some(other) => assert_eq!(other, declaration, "two types are called {name}"),
            None => {
                T::visit_dependencies(self);
                T::visit_generics(self);
            }
        }
    }
}

fn answers() -> String {
    let config = Config::new().with_large_int("number");
    let mut found = Declarations { config, by_name: BTreeMap::new() };
    macro_rules! visit {
        ($($answer:ty),* $(,)?) => { $( found.visit::<$answer>(); )* };
    }
    visit![
        yarn::App,
        yarn::AppAttempt,
        yarn::ClusterInfo,
        yarn::ClusterMetrics,
        yarn::Container,
        yarn::LogFile,
        yarn::Node,
        yarn::NodeContainer,
        yarn::NodeInfo,
        yarn::PendingAskInfo,
        flink::checkpoints::CheckpointConfig,
        flink::checkpoints::Checkpoints,
        flink::cluster::DashboardConfig,
        flink::cluster::Overview,
        flink::exceptions::JobExceptions,
        flink::job::JobConfig,
        flink::job::JobDetails,
        flink::job::JobsOverview,
        flink::metrics::AggregatedMetric,
        flink::metrics::Metric,
        flink::result::JobProgress,
        flink::task_managers::TaskManagers,
        flink::vertex::BackPressure,
        flink::vertex::VertexDetails,
        flink::vertex::VertexTaskManagers,
    ];
    let declarations =
        found.by_name.values().map(|one| format!("\nexport {}\n", without_comments(one)));
    let metrics = flink::metrics::PAGE_SUBTASK_METRICS;
    let constant = format!("\nexport const PAGE_SUBTASK_METRICS =\n  \"{metrics}\";\n");
    HEAD.to_owned() + &constant + &declarations.collect::<String>()
}

/// The declaration with a field on each line. Its comments are those of the Rust types.
fn without_comments(declaration: &str) -> String {
    let mut is_comment = false;
    let mut lines = Vec::new();
    for line in declaration.lines() {
        let line = line.trim();
        is_comment |= line.starts_with("/**");
        if !is_comment {
            let (field, end) = match line.strip_suffix(" };") {
                Some(field) if !lines.is_empty() => (field, "\n};"),
                _ => (line, ""),
            };
            let indent = if lines.is_empty() { "" } else { "  " };
            lines.push(format!("{indent}{field}{end}"));
        }
        is_comment &= !line.ends_with("*/");
    }
    lines.join("\n")
}

#[test]
fn generated_shapes_of_the_page_are_fresh() {
    let (file, answers) = (Path::new(FILE), answers());
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::write(file, &answers).expect("it is written");
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    assert!(committed == answers, "{FILE} is not fresh; its first lines say how to write it again");
}
