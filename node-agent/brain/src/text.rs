//! Texts for the user: sizes, and reasons for kills.

use crate::messages::{ContainerMemory, Exit};
use weir_base::Resources;
use weir_protocol::cluster::exit_status;

/// A size as text: `96 mb`, `1.25 gb`.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    let mib = bytes.div_ceil(MIB);
    if mib < 1024 {
        return format!("{mib} mb");
    }
    // Rounded up, so that a size slightly above a limit does not print as equal to it.
    let hundredths = (mib * 100).div_ceil(1024);
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{} gb", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Reason of a kill because of memory.
pub(crate) fn over_limit(memory: &ContainerMemory, lease: Resources) -> String {
    let used = size(memory.used_bytes);
    let leased = size(lease.memory_mib << 20);
    let id = memory.container;
    let largest = memory.largest.as_ref().map(|process| {
        let own = size(process.used_bytes);
        format!("; the largest is {} (pid {}) with {own}", process.name, process.pid)
    });
    let largest = largest.unwrap_or_default();
    format!(
        "container {id} was killed: its processes used {used} of {leased} leased{largest} \
         [WEIR-NM-0010]"
    )
}

/// Exit of a container whose launch gives a wrong size for a file.
pub(crate) fn other_size(file: &str, known_bytes: u64, said_bytes: u64) -> Exit {
    let diagnostics = format!(
        "file {file} has {known_bytes} bytes, not {said_bytes} as the start request of the container says \
         [WEIR-NM-0012]"
    );
    Exit { exit_status: exit_status::INVALID, diagnostics }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::LargestProcess;
    use weir_base::ContainerId;

    #[test]
    fn sizes_are_rounded_up_and_short() {
        for (mib, text) in
            [(0, "0 mb"), (96, "96 mb"), (1023, "1023 mb"), (1024, "1 gb"), (1025, "1.01 gb")]
        {
            assert_eq!(size(mib << 20), text);
        }
        assert_eq!(size((1 << 30) + (1 << 29)), "1.5 gb");
        assert_eq!(size(1), "1 mb");
    }

    #[test]
    fn message_names_the_number_and_the_largest_process() {
        let largest = LargestProcess { pid: 4711, name: "word-count".into(), used_bytes: 6 << 28 };
        let memory = ContainerMemory {
            container: ContainerId::default(),
            used_bytes: 7 << 28,
            largest: Some(largest),
        };
        let text = over_limit(&memory, Resources { memory_mib: 1024, vcores: 1 });
        assert_eq!(
            text,
            "container container_0_0000_00_000000 was killed: its processes used 1.75 gb of 1 gb \
             leased; the largest is word-count (pid 4711) with 1.5 gb [WEIR-NM-0010]"
        );
    }
}
