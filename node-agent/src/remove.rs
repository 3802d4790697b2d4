//! Removes files and folders that are not needed any more. Never fails: what cannot be removed is logged and stays.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// Owner rights for listing, entering and deleting.
const OWNER_MAY_ALL: u32 = 0o700;

/// Removes a file, or a folder with its content, including write-protected folders.
/// Blocks.
pub(crate) fn folder(path: &Path) {
    let removed = match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unprotect(path);
            fs::remove_dir_all(path)
        }
        other => other,
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("{} cannot be removed: {error}", path.display());
        }
        _ => {}
    }
}

/// Gives the owner all rights on a folder and those below. An error shows later, in the removal.
fn unprotect(folder: &Path) {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return };
    if !metadata.is_dir() {
        return;
    }
    if metadata.mode() & OWNER_MAY_ALL != OWNER_MAY_ALL {
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(OWNER_MAY_ALL));
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        unprotect(&entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drops root's file permissions in this thread, which belongs to the test.
    fn as_anybody() {
        const NOBODY: u32 = 65534;
        // SAFETY: plain system call; it fails when this is not root, and then there is nothing to drop.
        unsafe { libc::setfsuid(NOBODY) };
    }

    #[test]
    fn write_protected_folders_are_removed() {
        as_anybody();
        let root = tempfile::tempdir().expect("a folder");
        let (top, inner) = (root.path().join("top"), root.path().join("top/a/b"));
        fs::create_dir_all(&inner).expect("made");
        fs::write(inner.join("file"), b"").expect("written");
        for (path, mode) in [(&inner, 0o555), (&top, 0)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        }
        assert!(fs::remove_dir_all(&top).is_err(), "or this tests nothing");
        folder(&top);
        assert!(!top.exists());
    }

    #[test]
    fn removing_a_file_or_a_missing_path_succeeds() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        fs::write(&file, b"").expect("written");
        folder(&file);
        assert!(!file.exists());
        folder(&file);
    }
}
