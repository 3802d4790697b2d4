//! App masters.

use super::node::report_back;
use weir_protocol::cluster as wire;
use weir_resource_manager_brain as brain;
use weir_service::Secret;

/// To the brain.
pub fn register_app_master(message: wire::RegisterAppMaster) -> brain::RegisterAppMaster {
    let wire::RegisterAppMaster { attempt, rest_port, held } = message;
    let held = held.into_iter().map(|lease| {
        let wire::HeldLease { container, node, resources } = lease;
        brain::HeldLease { container, node, resources }
    });
    brain::RegisterAppMaster { attempt, rest_port, held: held.collect() }
}

/// From the brain.
pub fn app_master_registered(message: brain::AppMasterRegistered) -> wire::AppMasterRegistered {
    let brain::AppMasterRegistered {
        weir_version,
        epoch,
        largest_node,
        heartbeat_interval_ms,
        expiry_ms,
        earlier_attempt_asked,
    } = message;
    wire::AppMasterRegistered {
        weir_version,
        epoch,
        largest_node,
        heartbeat_interval_ms,
        expiry_ms,
        earlier_attempt_asked,
    }
}

/// To the brain.
pub fn allocate(message: wire::Allocate) -> brain::Allocate {
    let wire::Allocate { attempt, epoch, sequence, hold_ms, asks, held, release, seen, progress } =
        message;
    let asks = asks.into_iter().map(|ask| {
        let wire::Ask { id, priority, resources, total } = ask;
        brain::Ask { id, priority, resources, total }
    });
    brain::Allocate {
        attempt,
        epoch,
        sequence,
        hold_ms,
        asks: asks.collect(),
        held,
        release,
        seen,
        progress,
    }
}

/// From the brain, with the tokens of the leases.
pub fn allocated(message: brain::Allocated, secret: &Secret) -> wire::Allocated {
    let brain::Allocated { sequence, command, leases, completed, pending, headroom } = message;
    let command = match command {
        brain::AppMasterCommand::Normal => wire::AppMasterCommand::Normal,
        brain::AppMasterCommand::Resync => wire::AppMasterCommand::Resync,
        brain::AppMasterCommand::Shutdown => wire::AppMasterCommand::Shutdown,
    };
    let pending = pending.into_iter().map(|ask| {
        let brain::PendingAsk { ask, missing, reason } = ask;
        wire::PendingAsk { ask, missing, reason }
    });
    wire::Allocated {
        sequence,
        command,
        leases: leases.into_iter().map(|lease| signed(lease, secret)).collect(),
        completed: completed.into_iter().map(report_back).collect(),
        pending: pending.collect(),
        headroom,
    }
}

fn signed(lease: brain::Lease, secret: &Secret) -> wire::Lease {
    let brain::Lease { container, ask, node, resources } = lease;
    let claims = wire::LeaseClaims { container, node: node.clone(), resources };
    let token = secret.sign_lease(&claims);
    wire::Lease { container, ask, node, resources, token }
}

/// To the brain.
pub fn finish_app_master(message: wire::FinishAppMaster) -> brain::FinishAppMaster {
    let wire::FinishAppMaster { attempt, final_status, diagnostics, archive } = message;
    let final_status = match final_status {
        wire::FinalStatus::Undefined => brain::FinalStatus::Undefined,
        wire::FinalStatus::Succeeded => brain::FinalStatus::Succeeded,
        wire::FinalStatus::Failed => brain::FinalStatus::Failed,
        wire::FinalStatus::Killed => brain::FinalStatus::Killed,
    };
    let archive = archive.into_iter().map(|answer| {
        let wire::ArchivedAnswer { path, json } = answer;
        brain::ArchivedAnswer { path, json }
    });
    brain::FinishAppMaster { attempt, final_status, diagnostics, archive: archive.collect() }
}

/// From the brain.
pub fn final_status(status: brain::FinalStatus) -> wire::FinalStatus {
    match status {
        brain::FinalStatus::Undefined => wire::FinalStatus::Undefined,
        brain::FinalStatus::Succeeded => wire::FinalStatus::Succeeded,
        brain::FinalStatus::Failed => wire::FinalStatus::Failed,
        brain::FinalStatus::Killed => wire::FinalStatus::Killed,
    }
}
