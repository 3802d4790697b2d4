//! A disk that fills up and later has space again. Needs a small separate file system.

use crate::support::{Node, artifact, container, shell, wait_for};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use weir_protocol::cluster::{LaunchContext, exit_status};

/// A file system in memory; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Self {
        fs::create_dir(folder).expect("made");
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", "size=24m", "none"]).arg(folder).status();
        assert!(status.expect("mount").success(), "it takes the rights to mount");
        Self(folder.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn health(node: &Node) -> Option<String> {
    node.resource_manager.state().last.as_ref()?.unhealthy.clone()
}

#[test]
#[ignore = "takes the rights to mount: run it as root"]
fn full_disk_fails_new_containers_and_costs_running_ones_lines_and_no_agent() {
    let mut node = Node::without_agent(&[]);
    let _disk = SmallDisk::mount(&node.data_dir());
    node.restart_agent("127.0.0.1:0");
    let running = container(1);
    let fill = "cat /dev/zero > fill; echo lost; echo lost; touch full; \
                while ! [ -e go ]; do sleep 0.01; done; rm fill; echo back; exit 5";
    node.run(running, shell(fill));
    let folder = node.container_folder(running);
    wait_for("it is full", || folder.join("full").exists().then_some(()));

    let unhealthy = wait_for("it is noticed", || health(&node));
    assert!(
        unhealthy.contains("0 mb are free") && unhealthy.contains("WEIR-NM-0017"),
        "{unhealthy}"
    );
    node.run(container(2), shell("exit 0"));
    let content = vec![7; 4 << 20];
    let file = artifact("big", &content);
    node.resource_manager.state().artifacts.insert(file.hash.to_string(), content);
    node.run(container(3), LaunchContext { artifacts: vec![file], ..shell("exit 0") });
    for sequence in [2, 3] {
        let report = node.ended(container(sequence));
        assert_eq!(report.exit_status, Some(exit_status::DISKS_FAILED), "{}", report.diagnostics);
        assert!(report.diagnostics.contains("WEIR-NM-0013"), "{}", report.diagnostics);
    }

    let address = node.kill_agent();
    node.restart_agent(&address);
    let found = wait_for("it registers again", || {
        let state = node.resource_manager.state();
        (state.registrations.len() == 2).then(|| state.registrations[1].containers.clone())
    });
    assert!(found.iter().any(|one| (one.container, one.exit_status) == (running, None)));

    fs::write(folder.join("go"), b"").expect("an empty file takes no room");
    assert_eq!(node.ended(running).exit_status, Some(5));
    let log = node.log(running, "stdout");
    assert_eq!(log, "[weir: 2 lines (10 bytes) are missing here: the disk was full]\nback\n");
    wait_for("the node is healthy again", || health(&node).is_none().then_some(()));
    node.run(container(4), shell("exit 0"));
    assert_eq!(node.ended(container(4)).exit_status, Some(0));
}
