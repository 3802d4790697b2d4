//! The cluster as a whole: `/ws/v1/cluster`, `/info`, `/metrics`, `/scheduler`, `/appstatistics`.

use super::{State, filter};
use crate::view::View;
use actix_web::{
    HttpRequest,
    web::{self, Data, Json, ServiceConfig},
};
use weir_protocol::rest::yarn::{
    ApplicationState, ClusterInfo, ClusterInfoAnswer, ClusterMetrics, ClusterMetricsAnswer,
    FifoScheduler, Ratio, Scheduler, SchedulerAnswer, StatItem, Statistics, StatisticsAnswer,
};
use weir_resource_manager_brain::ApplicationView;
use weir_service::ApiError;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn configure(config: &mut ServiceConfig) {
    config
        .route("", web::get().to(info))
        .route("/", web::get().to(info))
        .route("/info", web::get().to(info))
        .route("/metrics", web::get().to(metrics))
        .route("/scheduler", web::get().to(scheduler))
        .route("/appstatistics", web::get().to(statistics));
}

async fn info(state: Data<State>) -> Json<ClusterInfoAnswer> {
    let about = &state.about;
    let build = format!("{VERSION} of Weir");
    Json(ClusterInfoAnswer {
        cluster_info: ClusterInfo {
            id: about.cluster_timestamp,
            started_on: about.started_ms,
            state: "STARTED".to_owned(),
            ha_state: "ACTIVE".to_owned(),
            rm_state_store_name: "SQLite".to_owned(),
            resource_manager_version: VERSION.to_owned(),
            resource_manager_build_version: build.clone(),
            resource_manager_version_built_on: String::new(),
            hadoop_version: VERSION.to_owned(),
            hadoop_build_version: build,
            hadoop_version_built_on: String::new(),
            ha_zoo_keeper_connection_state: "ResourceManager HA is not enabled.".to_owned(),
            weir_version: VERSION.to_owned(),
            weir_epoch: about.epoch,
            weir_storage_dir: about.storage_dir.clone().unwrap_or_default(),
        },
    })
}

async fn metrics(state: Data<State>) -> Json<ClusterMetricsAnswer> {
    let view = state.handle.recent_snapshot().await;
    Json(ClusterMetricsAnswer { cluster_metrics: figures(&view) })
}

/// The metrics of a view, as YARN's REST interface shows them.
pub fn figures(view: &View) -> ClusterMetrics {
    let counted = view.cluster.metrics;
    ClusterMetrics {
        apps_submitted: counted.apps_submitted,
        apps_completed: counted.apps_completed,
        apps_pending: counted.apps_pending,
        apps_running: counted.apps_running,
        apps_failed: counted.apps_failed,
        apps_killed: counted.apps_killed,
        available_mb: counted.available.memory_mib,
        allocated_mb: counted.allocated.memory_mib,
        available_virtual_cores: counted.available.vcores.into(),
        allocated_virtual_cores: counted.allocated.vcores.into(),
        containers_allocated: counted.containers_allocated,
        containers_pending: counted.containers_pending,
        total_mb: counted.total.memory_mib,
        total_virtual_cores: counted.total.vcores.into(),
        total_nodes: counted.total_nodes,
        lost_nodes: counted.lost_nodes,
        unhealthy_nodes: counted.unhealthy_nodes,
        active_nodes: counted.active_nodes,
        shutdown_nodes: counted.shutdown_nodes,
        total_used_resources_across_partition: counted.allocated.into(),
        total_cluster_resources_across_partition: counted.total.into(),
        // Weir has no reservations, and no decommissioned or rebooted nodes.
        ..ClusterMetrics::default()
    }
}

async fn scheduler(state: Data<State>) -> Json<SchedulerAnswer> {
    let view = state.handle.recent_snapshot().await;
    let counted = view.cluster.metrics;
    let up = || view.cluster.nodes.iter().filter(|node| node.state.is_active());
    let scheduler_info = FifoScheduler {
        kind: "fifoScheduler".to_owned(),
        capacity: 1.0,
        used_capacity: Ratio::of(counted.allocated.memory_mib, counted.total.memory_mib),
        qstate: "RUNNING".to_owned(),
        min_queue_memory_capacity: state.about.minimum_allocation_mib,
        max_queue_memory_capacity: up().map(|node| node.total.memory_mib).max().unwrap_or(0),
        num_nodes: up().count() as u64,
        used_node_capacity: counted.allocated.memory_mib,
        avail_node_capacity: counted.available.memory_mib,
        total_node_capacity: counted.total.memory_mib,
        num_containers: counted.containers_allocated,
    };
    Json(SchedulerAnswer { scheduler: Scheduler { scheduler_info } })
}

/// Number of applications by state, of all types or of one type.
async fn statistics(
    request: HttpRequest,
    state: Data<State>,
) -> Result<Json<StatisticsAnswer>, ApiError> {
    let wanted = filter::Statistics::read(request.query_string())?;
    let view = state.handle.recent_snapshot().await;
    let count = |state: ApplicationState| {
        let is_counted = |application: &&ApplicationView| {
            application.yarn_state == state
                && wanted.is_of_kind(&application.submission.application_type)
        };
        StatItem {
            state,
            kind: wanted.kind().to_owned(),
            count: view.cluster.applications.iter().filter(is_counted).count() as u64,
        }
    };
    let stat_item = wanted.states().map(count).collect();
    Ok(Json(StatisticsAnswer { app_stat_info: Statistics { stat_item } }))
}
