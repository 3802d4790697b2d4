//! Log files that are rotated at a size limit. When the disk is full, lines are lost, but the container continues:
//! dropped bytes are counted, and the count is written as soon as there is space.
//!
//! ```text
//! stdout (newest)  ──rotate──▶  stdout.1  ──▶ … ──▶  stdout.<max files>  ──▶ deleted
//! ```

use crate::record::LaunchRecord;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

/// One log of a container.
pub(super) struct RotatingLog {
    path: PathBuf,
    max_bytes: u64,
    max_files: u32,
    file: Option<File>,
    size_bytes: u64,
    /// Whether the last byte written ended a line.
    at_line_start: bool,
    dropped_bytes: u64,
    dropped_lines: u64,
}

impl RotatingLog {
    /// An empty log; its file is created now, so that it is listed.
    pub fn new(launch: &LaunchRecord, name: &str) -> Self {
        let mut log = Self {
            path: launch.log_folder.join(name),
            max_bytes: launch.log_max_bytes.max(1),
            max_files: launch.log_max_files,
            file: None,
            size_bytes: 0,
            at_line_start: true,
            dropped_bytes: 0,
            dropped_lines: 0,
        };
        // If it cannot be created now, the first write tries again.
        let _ = log.open();
        log
    }

    /// Writes output of the container. Never fails.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.max_bytes.saturating_sub(self.size_bytes);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let piece = self.piece(bytes, room);
            if piece == 0 {
                if self.rotate().is_err() {
                    return self.drop_all(bytes);
                }
                continue;
            }
            let (now, later) = bytes.split_at(piece);
            if self.append(now).is_err() {
                return self.drop_all(bytes);
            }
            bytes = later;
        }
    }

    /// Number of bytes that go into the current file: all, or whole lines; 0 when not even the first
    /// line fits and a new file has more room for it.
    fn piece(&self, bytes: &[u8], room: usize) -> usize {
        if bytes.len() <= room {
            return bytes.len();
        }
        let lines = bytes[..room].iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        lines.unwrap_or(if self.size_bytes == 0 { room } else { 0 })
    }

    /// Writes the count of dropped bytes, if possible.
    pub fn finish(&mut self) {
        let _ = self.confess();
    }

    fn drop_all(&mut self, bytes: &[u8]) {
        self.dropped_bytes += bytes.len() as u64;
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.dropped_lines += lines as u64;
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.confess()?;
        self.put(bytes)
    }

    /// Writes the count of dropped bytes before any new output.
    fn confess(&mut self) -> io::Result<()> {
        if self.dropped_bytes == 0 {
            return Ok(());
        }
        let break_line = if self.at_line_start { "" } else { "\n" };
        let note = format!(
            "{break_line}[weir: {} lines ({} bytes) are missing here: the disk was full]\n",
            self.dropped_lines.max(1),
            self.dropped_bytes
        );
        self.put(note.as_bytes())?;
        (self.dropped_bytes, self.dropped_lines) = (0, 0);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(written) => {
                    self.size_bytes += written as u64;
                    self.at_line_start = rest[..written].ends_with(b"\n");
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.size_bytes = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    /// Rotates the current file away and begins another. If a step fails, the next call goes on
    /// from there, and does not shift the older files a second time.
    fn rotate(&mut self) -> io::Result<()> {
        self.put_aside()?;
        self.open()
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.file = None;
        if self.max_files == 0 {
            unless_missing(fs::remove_file(&self.path))?;
        } else if fs::symlink_metadata(&self.path).is_ok() {
            self.make_room()?;
            unless_missing(fs::rename(&self.path, self.numbered(1)))?;
        }
        self.size_bytes = 0;
        Ok(())
    }

    /// Shifts rotated files up by one, up to the first gap.
    fn make_room(&self) -> io::Result<()> {
        let is_taken = |number: &u32| fs::symlink_metadata(self.numbered(*number)).is_ok();
        let taken_count = (1..self.max_files).take_while(is_taken).count();
        for number in (1..=taken_count as u32).rev() {
            unless_missing(fs::rename(self.numbered(number), self.numbered(number + 1)))?;
        }
        Ok(())
    }
}

/// Accepts a missing file: the container may have deleted it.
fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::fs::symlink, path::Path};

    fn log(folder: &Path, max_bytes: u64, max_files: u32) -> RotatingLog {
        let launch = LaunchRecord {
            container: weir_base::ContainerId::default(),
            resources: weir_base::Resources::default(),
            command: vec![],
            environment: vec![],
            log_folder: folder.to_owned(),
            log_max_bytes: max_bytes,
            log_max_files: max_files,
        };
        RotatingLog::new(&launch, "stdout")
    }

    fn text(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap_or_else(|_| "none".to_owned())
    }

    #[test]
    fn files_are_rotated_at_line_ends_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = log(folder.path(), 10, 2);
        log.write(b"aaaa\nbbbb\ncccc\ndddd\neeee\nffff\n");
        log.write(b"gggg\n");
        let names = ["stdout", "stdout.1", "stdout.2", "stdout.3"];
        let texts = names.map(|name| text(folder.path(), name));
        assert_eq!(texts, ["gggg\n", "eeee\nffff\n", "cccc\ndddd\n", "none"]);
    }

    #[test]
    fn line_longer_than_a_file_is_split() {
        let folder = tempfile::tempdir().expect("a folder");
        log(folder.path(), 4, 5).write(b"0123456789\n");
        let texts = ["stdout.2", "stdout.1", "stdout"].map(|name| text(folder.path(), name));
        assert_eq!(texts, ["0123", "4567", "89\n"]);
    }

    #[test]
    fn deleted_log_file_is_created_again_and_older_ones_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        for max_files in [0, 2] {
            let mut log = log(folder.path(), 5, max_files);
            fs::write(folder.path().join("stdout.1"), b"old\n").expect("written");
            log.write(b"aaaa\n");
            fs::remove_file(folder.path().join("stdout")).expect("there");
            log.write(b"bbbb\n");
            let texts = ["stdout", "stdout.1", "stdout.2"].map(|name| text(folder.path(), name));
            assert_eq!(texts, ["bbbb\n", "old\n", "none"], "{max_files} files");
            fs::remove_file(folder.path().join("stdout")).expect("there");
        }
    }

    #[test]
    fn failed_rotation_is_continued_and_loses_no_older_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = log(folder.path(), 5, 3);
        log.write(b"aaaa\nbbbb\n");
        // A folder in the place of a file can be neither replaced by a file nor opened.
        let block = |name: &str| fs::create_dir(folder.path().join(name)).expect("made");
        let unblock = |name: &str| fs::remove_dir(folder.path().join(name)).expect("there");
        block("stdout.2");
        block("stdout.3");
        fs::write(folder.path().join("stdout.3/in"), b"").expect("written");
        (0..3).for_each(|_| log.write(b"lost\n"));
        assert_eq!(text(folder.path(), "stdout.1"), "aaaa\n", "it was not moved without need");
        fs::remove_file(folder.path().join("stdout.3/in")).expect("there");
        unblock("stdout.3");
        unblock("stdout.2");
        log.write(b"c\n");
        log.write(b"d\n");
        let expected = "[weir: 3 lines (15 bytes) are missing here: the disk was full]\nc\n";
        let all = ["stdout.3", "stdout.2", "stdout.1", "stdout"];
        let texts = all.map(|name| text(folder.path(), name));
        assert_eq!(texts, ["aaaa\n", "bbbb\n", expected, "d\n"]);
    }

    #[test]
    fn file_that_cannot_be_opened_after_the_last_was_put_aside_is_tried_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = log(folder.path(), 5, 2);
        log.write(b"aaaa\n");
        log.put_aside().expect("moved");
        let path = folder.path().join("stdout");
        fs::create_dir(&path).expect("in the way");
        (0..2).for_each(|_| log.write(b"lost\n"));
        fs::remove_dir(&path).expect("there");
        log.write(b"b\n");
        let expected = "[weir: 2 lines (10 bytes) are missing here: the disk was full]\nb\n";
        let texts = ["stdout", "stdout.1", "stdout.2"].map(|name| text(folder.path(), name));
        assert_eq!(texts, [expected, "aaaa\n", "none"]);
    }

    #[test]
    fn without_rotated_files_only_the_newest_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        log(folder.path(), 5, 0).write(b"aaaa\nbbbb\n");
        assert_eq!(text(folder.path(), "stdout"), "bbbb\n");
        assert_eq!(text(folder.path(), "stdout.1"), "none");
    }

    #[test]
    fn full_disk_drops_lines_and_a_later_line_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("stdout");
        symlink("/dev/full", &path).expect("linked");
        let mut log = log(folder.path(), 1000, 2);
        log.write(b"one\ntwo\n");
        log.write(b"three\n");
        fs::remove_file(&path).expect("removed");
        log.file = None;
        log.write(b"four\n");
        let expected = "[weir: 3 lines (14 bytes) are missing here: the disk was full]\nfour\n";
        assert_eq!(text(folder.path(), "stdout"), expected);
        log.finish();
        assert_eq!(text(folder.path(), "stdout"), expected, "said once");
    }

    #[test]
    fn missing_folder_costs_lines_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = log(&folder.path().join("gone"), 1000, 2);
        log.write(b"one\n");
        assert_eq!(log.dropped_lines, 1);
    }
}
