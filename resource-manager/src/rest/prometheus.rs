//! `/metrics`: the metrics of the cluster in the text format of Prometheus.

use super::{State, cluster::figures};
use actix_web::{
    HttpResponse,
    http::header::CONTENT_TYPE,
    web::{self, Data, ServiceConfig},
};
use weir_protocol::rest::yarn::{ClusterMetrics, NodeState};
use weir_service::{PrometheusText, metrics::PROMETHEUS_MEDIA_TYPE};

pub fn configure(config: &mut ServiceConfig) {
    config.route("/metrics", web::get().to(metrics));
}

async fn metrics(state: Data<State>) -> HttpResponse {
    let view = state.handle.recent_snapshot().await;
    let figures = figures(&view);
    let mut text = PrometheusText::default();
    let nodes = NodeState::ALL.map(|state| {
        let count = view.cluster.nodes.iter().filter(|node| node.state == state).count();
        (state.name(), count as f64)
    });
    gauges(&mut text, ("weir_nodes", "Nodes by state.", "state"), &nodes);
    gauges(
        &mut text,
        ("weir_applications", "Applications that are known, by state.", "state"),
        &applications(&figures),
    );
    for (name, help, value) in amounts(&figures) {
        text.gauge(name, help, &[], value as f64);
    }
    let submitted = (
        "weir_applications_submitted_total",
        "Applications submitted, with those restored at the start.",
    );
    text.counter(submitted.0, submitted.1, &[], figures.apps_submitted as f64);
    let (count, bytes) = state.artifacts.totals();
    text.gauge("weir_artifacts", "Files kept.", &[], count as f64);
    text.gauge("weir_artifacts_bytes", "Bytes of files kept.", &[], bytes as f64);
    HttpResponse::Ok().insert_header((CONTENT_TYPE, PROMETHEUS_MEDIA_TYPE)).body(text.finish())
}

fn gauges(
    text: &mut PrometheusText,
    (name, help, label): (&str, &str, &str),
    values: &[(&str, f64)],
) {
    for (value_of_label, value) in values {
        text.gauge(name, help, &[(label, value_of_label)], *value);
    }
}

fn applications(figures: &ClusterMetrics) -> [(&'static str, f64); 5] {
    [
        ("PENDING", figures.apps_pending as f64),
        ("RUNNING", figures.apps_running as f64),
        ("FINISHED", figures.apps_completed as f64),
        ("FAILED", figures.apps_failed as f64),
        ("KILLED", figures.apps_killed as f64),
    ]
}

fn amounts(figures: &ClusterMetrics) -> [(&'static str, &'static str, u64); 6] {
    [
        ("weir_memory_mib", "Memory that nodes offer.", figures.total_mb),
        ("weir_memory_leased_mib", "Memory that is leased.", figures.allocated_mb),
        ("weir_vcores", "Virtual cores that nodes offer.", figures.total_virtual_cores),
        ("weir_vcores_leased", "Virtual cores that are leased.", figures.allocated_virtual_cores),
        ("weir_containers", "Containers that are leased.", figures.containers_allocated),
        ("weir_containers_pending", "Containers that wait for room.", figures.containers_pending),
    ]
}
