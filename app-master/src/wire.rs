//! Reports of task hosts as the job master knows them. Field by field, so that neither side can grow
//! one that the other does not hear of.

use weir_coordination::{ReportKind, TaskReport};
use weir_protocol::control;

/// The report of a task.
pub fn task_report(report: control::TaskReport) -> TaskReport {
    let control::TaskReport { task, attempt, kind } = report;
    TaskReport { task, attempt, kind: report_kind(kind) }
}

fn report_kind(kind: control::ReportKind) -> ReportKind {
    use control::ReportKind as Wire;
    match kind {
        Wire::Running => ReportKind::Running,
        Wire::EndOfData => ReportKind::EndOfData,
        Wire::SnapshotAcknowledged { checkpoint, snapshot, meta } => {
            ReportKind::SnapshotAcknowledged { checkpoint, snapshot, meta }
        }
        Wire::SnapshotDeclined { checkpoint, failure: why } => {
            ReportKind::SnapshotDeclined { checkpoint, failure: why }
        }
        Wire::Committed(checkpoint) => ReportKind::Committed { checkpoint },
        Wire::Finished => ReportKind::Finished,
        Wire::Canceled => ReportKind::Canceled,
        Wire::Failed(why) => ReportKind::Failed(why),
        Wire::LostPeer { peer, failure: why } => ReportKind::LostPeer { peer, failure: why },
    }
}
