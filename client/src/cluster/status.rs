//! `weir cluster status`: each daemon by its process, then what the resource manager says.

use super::folder_of;
use super::record::Record;
use crate::flags::{DataDirFlag, Output, StatusFlags};
use crate::output;
use crate::problem::{Exit, Problem};
use crate::remote::{CLUSTER, Remote, Target, checked_address};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use weir_protocol::rest::yarn::{ClusterMetrics, ClusterMetricsAnswer, Node, Nodes};
use weir_service::ProcessId;

/// Shown for a cluster whose start was killed.
const CUT_SHORT: &str = "its start did not come to its end";

/// The output of `--output json`.
#[derive(Serialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Status {
    /// Empty where a cluster was asked for by its address.
    #[serde(skip_serializing_if = "String::is_empty")]
    data_dir: String,
    running: bool,
    address: Option<String>,
    /// Only for the address of the page, which people are shown.
    #[serde(skip)]
    token: Option<String>,
    daemons: Vec<Daemon>,
    nodes: Option<u64>,
    applications_running: Option<u64>,
    applications_pending: Option<u64>,
    memory_mib: Option<Used>,
    vcores: Option<Used>,
    problem: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Daemon {
    name: String,
    pid: Option<u32>,
    alive: bool,
    address: String,
    /// How the resource manager sees it; of node agents only.
    node_state: Option<String>,
}

#[derive(Serialize)]
struct Used {
    used: u64,
    total: u64,
}

/// Shows it; whether all of it runs is the exit code.
pub fn status(flags: &StatusFlags) -> Result<Exit, Problem> {
    let status = match &flags.cluster {
        Some(typed) => at_address(typed)?,
        None => on_folder(&flags.data_dir)?,
    };
    match flags.output.output {
        Output::Json => output::print_json(&status)?,
        Output::Text => output::print(&text(&status))?,
    }
    Ok(if status.running { Exit::Success } else { Exit::Failure })
}

/// A cluster of which only the address is known.
fn at_address(typed: &str) -> Result<Status, Problem> {
    let address = checked_address(typed)?;
    let (metrics, _) = ask(&address)??;
    let mut status = Status { address: Some(address), running: true, ..Status::default() };
    status.take_in(&metrics);
    Ok(status)
}

fn on_folder(flag: &DataDirFlag) -> Result<Status, Problem> {
    let folder = folder_of(flag)?;
    let data_dir = folder.path().display().to_string();
    Ok(match Record::load(folder.path())? {
        Some(record) => {
            let token = fs::read_to_string(folder.token()).ok();
            let token = token.map(|token| token.trim().to_owned());
            Status { token, ..look(data_dir, &record)? }
        }
        None => Status { data_dir, ..Status::default() },
    })
}

fn look(data_dir: String, record: &Record) -> Result<Status, Problem> {
    let daemon = |name: &str, process: Option<ProcessId>, address: &str| Daemon {
        name: name.to_owned(),
        pid: process.map(|process| process.pid),
        alive: process.is_some_and(ProcessId::is_alive),
        address: address.to_owned(),
        node_state: None,
    };
    let manager = daemon("resource-manager", record.resource_manager, &record.address);
    let agents = record.node_agents.iter();
    let agents = agents.map(|agent| daemon(&agent.name, agent.process, &agent.address));
    let mut status = Status {
        data_dir,
        address: Some(record.address.clone()),
        daemons: std::iter::once(manager).chain(agents).collect(),
        ..Status::default()
    };
    let all_live = status.daemons.iter().all(|daemon| daemon.alive);
    if !record.resource_manager_lives() {
        status.problem = Some("the resource manager has died".to_owned());
        return Ok(status);
    }
    if !record.resource_manager_is_up() {
        status.problem = Some(CUT_SHORT.to_owned());
        return Ok(status);
    }
    match ask(&record.address)? {
        Ok((metrics, nodes)) => {
            for daemon in &mut status.daemons[1..] {
                let node = nodes.iter().find(|node| node.id.0 == daemon.address);
                daemon.node_state = node.map(|node| node.state.to_string());
            }
            status.take_in(&metrics);
            status.running = record.all_live();
        }
        Err(problem) => status.problem = Some(problem.what),
    }
    if !all_live {
        status.problem = Some("some of its processes have died".to_owned());
    } else if !record.all_live() {
        status.problem = Some(CUT_SHORT.to_owned());
    }
    Ok(status)
}

type Answers = (ClusterMetrics, Vec<Node>);

fn ask(address: &str) -> Result<Result<Answers, Problem>, Problem> {
    let target = Target { address: address.to_owned(), token: None, token_origin: String::new() };
    let remote = Remote::new(target)?;
    let metrics = remote.get::<ClusterMetricsAnswer>(&format!("{CLUSTER}/metrics"));
    let nodes = remote.get::<Nodes>(&format!("{CLUSTER}/nodes"));
    Ok(metrics.and_then(|metrics| Ok((metrics.cluster_metrics, nodes?.nodes.node))))
}

impl Status {
    fn take_in(&mut self, metrics: &ClusterMetrics) {
        self.nodes = Some(metrics.active_nodes);
        self.applications_running = Some(metrics.apps_running);
        self.applications_pending = Some(metrics.apps_pending);
        self.memory_mib = Some(Used { used: metrics.allocated_mb, total: metrics.total_mb });
        self.vcores = Some(Used {
            used: metrics.allocated_virtual_cores,
            total: metrics.total_virtual_cores,
        });
    }
}

/// The state of a node in the resource manager, beside that of its agent's process.
fn node_text(state: &str, is_alive: bool) -> String {
    match (state, is_alive) {
        ("RUNNING", false) => "node RUNNING, until its heartbeats time out".to_owned(),
        _ => format!("node {state}"),
    }
}

fn text(status: &Status) -> String {
    let Some(address) = &status.address else {
        return format!(
            "No cluster runs on {}. Start one with `weir cluster start`.\n",
            status.data_dir
        );
    };
    let mut text = String::new();
    let state = if status.running { "runs" } else { "does not run, or not all of it" };
    let _ = match status.data_dir.as_str() {
        "" => writeln!(text, "The cluster at {address} {state}."),
        data_dir => writeln!(text, "The cluster on {data_dir} {state}."),
    };
    let token = status.token.as_ref().map(|token| format!("#token={token}")).unwrap_or_default();
    let web = if address.is_empty() {
        "not known".to_owned()
    } else {
        format!("http://{address}/{token}")
    };
    let _ = writeln!(text, "Web: {web}\n");
    for Daemon { name, pid, alive, address, node_state } in &status.daemons {
        let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let alive_text = if *alive { "alive" } else { "dead" };
        let node_state = node_state.as_deref().map(|state| node_text(state, *alive));
        let node_state = node_state.unwrap_or_default();
        let line = format!("{name:<18} {pid:>8}  {alive_text:<5}  {address:<22} {node_state}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if let (Some(nodes), Some(running), Some(pending), Some(memory), Some(vcores)) = (
        status.nodes,
        status.applications_running,
        status.applications_pending,
        &status.memory_mib,
        &status.vcores,
    ) {
        let _ = writeln!(
            text,
            "\nNodes: {nodes}   Applications: {running} running, {pending} waiting   Memory: {} of \
             {} MiB   VCores: {} of {}",
            memory.used, memory.total, vcores.used, vcores.total
        );
    }
    if let Some(problem) = &status.problem {
        let _ = writeln!(
            text,
            "\nProblem: {problem}. `weir cluster start` starts what has died, `weir cluster stop` \
             stops the rest."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(alive: bool, node_state: &str) -> String {
        let agent = Daemon {
            name: "node-agent-1".to_owned(),
            pid: Some(3546),
            alive,
            address: "127.0.0.1:8042".to_owned(),
            node_state: Some(node_state.to_owned()),
        };
        let status =
            Status { address: Some(String::new()), daemons: vec![agent], ..Status::default() };
        let text = text(&status);
        text.lines().find(|line| line.contains("3546")).expect("a line").to_owned()
    }

    #[test]
    fn state_of_a_node_and_state_of_its_agent_are_shown_apart() {
        assert!(line_of(true, "RUNNING").ends_with("alive  127.0.0.1:8042         node RUNNING"));
        assert!(line_of(false, "LOST").ends_with("dead   127.0.0.1:8042         node LOST"));
        let dead = line_of(false, "RUNNING");
        assert!(dead.ends_with("node RUNNING, until its heartbeats time out"), "{dead}");
    }
}
