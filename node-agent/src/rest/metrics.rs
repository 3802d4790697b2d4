//! `/metrics` in Prometheus' text format.

use super::Api;
use actix_web::{
    HttpResponse,
    web::{self, Data, ServiceConfig},
};
use weir_node_agent_brain::NodeView;
use weir_protocol::cluster::ContainerState;
use weir_service::{ApiError, PrometheusText, metrics::PROMETHEUS_MEDIA_TYPE};

pub(super) fn configure(service: &mut ServiceConfig) {
    service.route("/metrics", web::get().to(metrics));
}

async fn metrics(api: Data<Api>) -> Result<HttpResponse, ApiError> {
    let view = api.view().await?;
    let NodeView { total, leased, used_memory_mib, cached_bytes, .. } = view.node;
    let mut text = PrometheusText::default();
    let bytes = |mib: u64| (mib << 20) as f64;
    let flag = |is_set: bool| if is_set { 1.0 } else { 0.0 };
    for (kind, mib) in
        [("total", total.memory_mib), ("leased", leased.memory_mib), ("used", used_memory_mib)]
    {
        let help = "Memory of the node: offered, leased to live containers, used by them.";
        text.gauge("weir_node_memory_bytes", help, &[("kind", kind)], bytes(mib));
    }
    for (kind, vcores) in [("total", total.vcores), ("leased", leased.vcores)] {
        let help = "Virtual cores of the node: offered, leased to live containers.";
        text.gauge("weir_node_vcores", help, &[("kind", kind)], vcores.into());
    }
    for wanted in [
        ContainerState::Localizing,
        ContainerState::Running,
        ContainerState::Killing,
        ContainerState::Complete,
    ] {
        let count = view.containers.iter().filter(|one| one.report.state == wanted).count();
        let help = "Containers that the agent knows, by state.";
        text.gauge("weir_node_containers", help, &[("state", wanted.name())], count as f64);
    }
    for one in view.containers.iter().filter(|one| one.state.is_live()) {
        let id = one.report.container.to_string();
        let help = "Memory of a container's processes.";
        let used = bytes(one.report.used_memory_mib);
        text.gauge("weir_container_memory_bytes", help, &[("container", &id)], used);
    }
    text.gauge("weir_node_cache_bytes", "Files kept for containers.", &[], cached_bytes as f64);
    let help = "Whether the node can run containers.";
    text.gauge("weir_node_healthy", help, &[], flag(view.node.unhealthy.is_none()));
    let help = "Whether the resource manager knows the node.";
    text.gauge("weir_node_registered", help, &[], flag(view.node.is_registered));
    Ok(HttpResponse::Ok().content_type(PROMETHEUS_MEDIA_TYPE).body(text.finish()))
}
