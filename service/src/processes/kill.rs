//! Reliable killing of a set of processes.

use super::{
    Processes,
    proc_fs::{ProcFs, ProcessSource},
};
use crate::process::{ProcessId, ProcessStat};
use std::{
    collections::HashSet,
    fmt::{self, Display, Formatter},
    thread,
    time::{Duration, Instant},
};

/// First and longest time between two checks of killed processes. It doubles each time.
const CHECK_INTERVALS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(250)];

/// SIGKILL to each.
pub fn kill_each(processes: &[ProcessId]) {
    for process in processes {
        // The signal fails for a process of another user.
        let _ = process.signal(libc::SIGKILL);
    }
}

/// Result of [`kill_until_gone`].
#[derive(Debug, Default)]
pub struct Killed {
    /// Number of processes found.
    pub count: usize,
    /// Processes that have not ended: they hang in the kernel.
    pub left: Vec<ProcessId>,
}

impl Display for Killed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} processes that were left have been killed", self.count)?;
        for (index, process) in self.left.iter().enumerate() {
            let before = if index == 0 { ", and have not ended: " } else { ", " };
            let name = ProcessStat::of(process.pid).map(|stat| stat.name).unwrap_or_default();
            write!(formatter, "{before}{name} (pid {})", process.pid)?;
        }
        Ok(())
    }
}

/// Kills the processes that `find` returns, repeatedly, until a complete scan finds none or the time limit has
/// passed. Blocks. `find` may use [`Processes::with_value`] of the variable. A process that was found once is
/// checked until it has ended, because `find` may not see it any more when its first thread has ended.
pub fn kill_until_gone(
    variable: &str,
    find: impl Fn(&Processes) -> Vec<ProcessId>,
    limit: Duration,
) -> Killed {
    kill_in(&ProcFs, variable, find, limit)
}

fn kill_in(
    source: &impl ProcessSource,
    variable: &str,
    find: impl Fn(&Processes) -> Vec<ProcessId>,
    limit: Duration,
) -> Killed {
    let (started, [mut pause, longest]) = (Instant::now(), CHECK_INTERVALS);
    let mut killed = HashSet::new();
    loop {
        let processes = Processes::scan_in(source, Some(variable));
        let mut left = find(&processes);
        let is_new = |id: &ProcessId| !left.contains(id) && processes.has(*id);
        left.extend(killed.iter().copied().filter(is_new).collect::<Vec<_>>());
        killed.extend(left.iter().copied());
        let is_over = left.is_empty() && processes.is_complete();
        if is_over || started.elapsed() >= limit {
            return Killed { count: killed.len(), left };
        }
        source.kill(&left);
        // A killed process may take a moment to end, and a new one to start.
        thread::sleep(pause);
        pause = longest.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        cell::{Cell, RefCell},
        io,
    };

    const MARK: &str = "MARK";
    const LIMIT: Duration = Duration::from_secs(60);

    /// A machine with one marked process, and a fault in the first scan.
    struct Scripted {
        trouble: Trouble,
        listings: Cell<usize>,
        killed: RefCell<Vec<u32>>,
    }

    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Trouble {
        /// The process is listed, but is in the middle of `exec`.
        NoEnvironmentYet,
        /// Its parent ends during the scan, and the process started after the listing.
        BegunBehindTheListing,
        /// This process has no free descriptors.
        NoListing,
        NoStat,
        NoEnvironment,
    }

    const PROCESS: u32 = 30;
    const PARENT: u32 = 40;

    impl Scripted {
        fn new(trouble: Trouble) -> Self {
            Self { trouble, listings: Cell::new(0), killed: RefCell::default() }
        }

        fn is_troubled(&self, trouble: Trouble) -> bool {
            self.trouble == trouble && self.listings.get() <= 2
        }

        fn unless(&self, trouble: Trouble) -> io::Result<()> {
            match self.is_troubled(trouble) {
                true => Err(io::Error::from_raw_os_error(libc::EMFILE)),
                false => Ok(()),
            }
        }
    }

    impl ProcessSource for Scripted {
        fn pids(&self) -> io::Result<Vec<u32>> {
            self.listings.set(self.listings.get() + 1);
            self.unless(Trouble::NoListing)?;
            let is_first = self.listings.get() == 1;
            let is_behind = is_first && self.trouble == Trouble::BegunBehindTheListing;
            Ok(vec![if is_behind { PARENT } else { PROCESS }])
        }

        fn stat(&self, pid: u32) -> io::Result<Option<ProcessStat>> {
            self.unless(Trouble::NoStat)?;
            let lives = pid == PROCESS && !self.killed.borrow().contains(&pid);
            Ok(lives.then(|| ProcessStat {
                name: "stray".to_owned(),
                state: 'S',
                parent: 1,
                group: pid,
                session: pid,
                threads: 1,
                start_time: 7,
                resident_pages: 1,
            }))
        }

        fn environment(&self, _: u32) -> io::Result<Option<Vec<u8>>> {
            self.unless(Trouble::NoEnvironment)?;
            let is_there = !self.is_troubled(Trouble::NoEnvironmentYet);
            Ok(is_there.then(|| b"PATH=/bin\0MARK=ours\0".to_vec()))
        }

        fn kill(&self, processes: &[ProcessId]) {
            self.killed.borrow_mut().extend(processes.iter().map(|process| process.pid));
        }
    }

    #[test]
    fn process_that_one_scan_misses_is_found_by_the_next() {
        for trouble in [
            Trouble::NoEnvironmentYet,
            Trouble::BegunBehindTheListing,
            Trouble::NoListing,
            Trouble::NoStat,
            Trouble::NoEnvironment,
        ] {
            let machine = Scripted::new(trouble);
            let killed =
                kill_in(&machine, MARK, |now| now.with_value(|mark| mark == "ours"), LIMIT);
            assert_eq!((killed.count, killed.left.len()), (1, 0), "{trouble:?}");
            assert_eq!(machine.killed.take(), [PROCESS], "{trouble:?}");
        }
    }

    #[test]
    fn process_that_carries_another_mark_is_left_alone() {
        let machine = Scripted::new(Trouble::NoEnvironmentYet);
        let killed = kill_in(&machine, MARK, |now| now.with_value(|mark| mark == "other"), LIMIT);
        assert_eq!((killed.count, machine.killed.take()), (0, vec![]));
    }

    #[test]
    fn processes_that_do_not_end_are_reported() {
        // No process has this pid and start time, so no process gets the signal.
        let own = std::process::id();
        let stuck = ProcessId { pid: own, start_time: 0 };
        let killed = kill_until_gone(MARK, |_| vec![stuck], Duration::ZERO);
        assert_eq!((killed.count, &killed.left[..]), (1, &[stuck][..]));
        let text = killed.to_string();
        let begin = "1 processes that were left have been killed, and have not ended: ";
        assert!(text.starts_with(begin) && text.ends_with(&format!(" (pid {own})")), "{text}");
    }
}
