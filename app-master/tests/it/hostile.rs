//! Connections without the key, repeated, unexpected, or with garbage: only they fail.

use crate::{
    cluster::Cluster,
    peer::{Inside, Line, Manager, two},
    submission::submission,
};
use std::io::Write;
use weir_base::ContainerId;
use weir_protocol::{
    challenge::JobKey,
    cluster::{AppMasterCommand, FinalStatus},
    control::{Admission, MAX_PROOF_BYTES, Peer, encode_preamble},
    task::ReportKind,
};

fn refusal(admission: Option<Admission>) -> (String, String) {
    match admission {
        Some(Admission::Refused { code, message }) => (code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn connections_without_the_key_are_refused() {
    let mut cluster = Cluster::run(&submission());
    let mut manager = Manager::of(&cluster, 0);
    let inside = manager.inside.clone();

    let keyless = Inside { key: JobKey::new([1; 32]), ..inside.clone() };
    let (_, admission) = keyless.connect(Peer::TaskManager, inside.manager_introduction());
    assert_eq!(refusal(admission).0, "WEIR-CTRL-0005");

    let unknown = ContainerId { sequence: 77, ..inside.container };
    let unknown = Inside { container: unknown, ..inside.clone() };
    let (_, admission) = unknown.connect(Peer::TaskManager, inside.manager_introduction());
    let (code, message) = refusal(admission);
    assert_eq!(code, "WEIR-AM-0014");
    assert!(message.contains(&unknown.container.to_string()), "{message}");

    let (_, admission) = inside.connect(Peer::TaskManager, inside.manager_introduction());
    assert!(refusal(admission).1.contains("already"));
    let (_, admission) = inside.connect(Peer::TaskHost(9), inside.host_introduction(9));
    assert_eq!(refusal(admission).0, "WEIR-AM-0014");
    // None of it has harmed the earlier connections.
    manager.host();
    cluster.command(AppMasterCommand::Shutdown);
    let _ = cluster.returned();
}

#[test]
fn invalid_bytes_end_only_their_own_connection() {
    let mut cluster = Cluster::run(&submission());
    let [(first_manager, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    let address = &first_manager.inside.address;
    let mut preamble = Vec::new();
    encode_preamble(&mut preamble);
    let oversized = (MAX_PROOF_BYTES as u32 + 1).to_le_bytes();
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0; 100_000],
        b"WEIRCTRL\xff\xff".to_vec(),
        [&preamble[..], &oversized].concat(),
        [&preamble[..], &4_u32.to_le_bytes(), b"junk"].concat(),
        [&preamble[..], &4_u32.to_le_bytes(), &[0xdf, 0xff, 0xff, 0xff]].concat(),
    ] {
        let mut line = Line::open(address);
        // It may be closed before all is written.
        let _ = line.stream.write_all(&bytes);
        line.wait_for_end();
    }
    let mut cut_off = Line::open(address);
    cut_off.stream.write_all(&[&preamble[..], &9_u32.to_le_bytes(), b"ju"].concat()).expect("sent");
    cut_off.stream.shutdown(std::net::Shutdown::Write).expect("open");
    cut_off.wait_for_end();

    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");
}

#[test]
fn idle_connections_do_not_lock_out_task_managers_and_rest_clients() {
    // Both ends of its connections are in this process.
    weir_service::process::raise_descriptor_limit().expect("raised");
    let mut cluster = Cluster::run(&submission());
    let (container, launch) = cluster.started(0);
    let inside = Inside::of(container, &launch);
    let mut preamble = Vec::new();
    encode_preamble(&mut preamble);
    let mut flood: Vec<_> = (0..1024).map(|_| Line::open(&inside.address)).collect();
    flood.iter_mut().step_by(2).for_each(|line| drop(line.stream.write_all(&preamble)));
    let mut manager = Manager::of(&cluster, 0);
    manager.host();
    // The oldest was shown out.
    flood[0].wait_for_end();
    let port = cluster.wait("registration", |state| Some(state.registered.first()?.rest_port));
    let flood: Vec<_> = (0..1024).map(|_| Line::open(&format!("127.0.0.1:{port}"))).collect();
    assert_eq!(cluster.rest("GET", "/v1/jobs", None).0, 200);
    drop(flood);
    cluster.command(AppMasterCommand::Shutdown);
    let _ = cluster.returned();
}

#[test]
fn host_that_sends_garbage_later_is_lost_and_its_task_manager_is_not() {
    let mut cluster = Cluster::run(&submission());
    let [(mut manager, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    first.line.stream.write_all(&[4, 0, 0, 0, 0xc1, 0xc1, 0xc1, 0xc1]).expect("sent");
    first.line.wait_for_end();
    assert_eq!(manager.order(), Some(weir_protocol::control::ManagerOrder::StopHost { host: 1 }));
    second.cancel();
    second.abandon_output();
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    assert!(end.diagnostics.contains("damaged report"), "{}", end.diagnostics);
    assert!(end.diagnostics.contains("[WEIR-AM-0010]"), "{}", end.diagnostics);
    cluster.returned().expect("told");
}
