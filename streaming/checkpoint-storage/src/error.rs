//! Errors of storage, one variant for each reaction of a caller or user.
//!
//! Each variant has a stable code with a page in `docs/errors/`.

use std::{error::Error as StdError, io};

/// A cause from the store or the operating system.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why storage could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be created, written or linked in.
    #[error(
        "cannot {action} in checkpoint folder {folder}; check that it is a folder this user may write, on a file system with hard links"
    )]
    Folder {
        /// The folder as it was given.
        folder: String,
        /// The attempted operation.
        action: &'static str,
        /// Message of the operating system.
        #[source]
        source: Cause,
    },
    /// The object is not what was written: truncated, changed, or not ours.
    #[error("{object} is damaged: {problem}; restore the file from a copy")]
    Damaged {
        /// The file or object.
        object: String,
        problem: String,
    },
    /// A record of the job log is missing, but later ones are there.
    #[error(
        "the job log has a gap: {missing} is missing but {found} exists; restore the missing file from a copy"
    )]
    LogGap {
        /// The file or object that should be there.
        missing: String,
        /// A later one.
        found: String,
    },
    /// The disk or the quota is full; nothing was written.
    #[error("no space left to write {object}; free some space or move the checkpoint folder")]
    NoSpace {
        /// The file or object.
        object: String,
        /// Message of the operating system.
        #[source]
        source: Cause,
    },
    /// Any other failure of the store.
    #[error("cannot {action} {object}")]
    Storage {
        /// The file or object.
        object: String,
        /// The attempted operation.
        action: &'static str,
        /// Whether it may have happened all the same.
        ambiguous: bool,
        /// Message of the store.
        #[source]
        source: Cause,
    },
    /// The object is not there.
    #[error("{object} does not exist; it was deleted, or the checkpoint folder is another job's")]
    Missing {
        /// The file or object.
        object: String,
    },
    /// A newer release wrote the object.
    #[error(
        "{object} has format {found}, this release reads up to {known}; use the release that wrote it or a later one"
    )]
    NewerFormat {
        /// The file or object.
        object: String,
        /// Its format.
        found: u16,
        /// The newest format known here.
        known: u16,
    },
    /// The folder of a job that has begun is not there.
    #[error(
        "checkpoint folder {folder} of the job does not exist here, although the job has begun; check that its file system is mounted on this node"
    )]
    NoFolder { folder: String },
    /// The path is none a snapshot may have.
    #[error("{path:?} is no snapshot path: {problem}")]
    BadPath {
        /// As it was given.
        path: String,
        /// The rule it breaks.
        problem: &'static str,
    },
}

impl Error {
    /// The stable code; `docs/errors/<code>.md` says what to do.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "WEIR-CKPT-0001",
            Self::Damaged { .. } => "WEIR-CKPT-0002",
            Self::LogGap { .. } => "WEIR-CKPT-0003",
            Self::NoSpace { .. } => "WEIR-CKPT-0004",
            Self::Storage { .. } => "WEIR-CKPT-0005",
            Self::Missing { .. } => "WEIR-CKPT-0006",
            Self::NewerFormat { .. } => "WEIR-CKPT-0007",
            Self::BadPath { .. } => "WEIR-CKPT-0008",
            Self::NoFolder { .. } => "WEIR-CKPT-0009",
        }
    }

    /// Whether the write may have happened although it failed. The caller finds out by trying
    /// again: a record that is there already is handed back.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Storage { ambiguous: true, .. })
    }

    /// Whether trying again can help without an operator.
    pub fn can_retry(&self) -> bool {
        match self {
            Self::NoSpace { .. } | Self::Storage { .. } | Self::NoFolder { .. } => true,
            Self::Folder { source, .. } => !is_permanent(source.as_ref()),
            _ => false,
        }
    }

    /// Sorts a failed call of the store that certainly had no effect.
    pub(crate) fn of_call(action: &'static str, object: String, source: impl Into<Cause>) -> Self {
        let source = source.into();
        if is_no_space(source.as_ref()) {
            return Self::NoSpace { object, source };
        }
        Self::Storage { object, action, ambiguous: false, source }
    }
}

/// Whether a full disk or quota is anywhere down the chain of causes.
fn is_no_space(error: &(dyn StdError + 'static)) -> bool {
    has_kind(error, &[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded])
}

/// Whether a folder can only be used when a person has changed something: not a full disk or a server
/// that is away.
fn is_permanent(error: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind::{
        InvalidFilename, InvalidInput, NotADirectory, PermissionDenied, ReadOnlyFilesystem,
        Unsupported,
    };
    let kinds = [
        InvalidFilename,
        InvalidInput,
        NotADirectory,
        PermissionDenied,
        ReadOnlyFilesystem,
        Unsupported,
    ];
    has_kind(error, &kinds)
}

fn has_kind(error: &(dyn StdError + 'static), kinds: &[io::ErrorKind]) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io_error = error.downcast_ref::<io::Error>();
        if io_error.is_some_and(|error| kinds.contains(&error.kind())) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_tried_again_unless_a_person_must_change_something() {
        for (kind, can_retry) in [
            (io::ErrorKind::StorageFull, true),
            (io::ErrorKind::StaleNetworkFileHandle, true),
            (io::ErrorKind::PermissionDenied, false),
            (io::ErrorKind::NotADirectory, false),
        ] {
            let source = io::Error::from(kind).into();
            let error = Error::Folder { folder: "f".into(), action: "create folders", source };
            assert_eq!(error.can_retry(), can_retry, "{kind:?}");
        }
    }

    #[test]
    fn full_disk_is_found_below_the_stores_own_errors() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, "WEIR-CKPT-0004"),
            (io::ErrorKind::QuotaExceeded, "WEIR-CKPT-0004"),
            (io::ErrorKind::ConnectionReset, "WEIR-CKPT-0005"),
        ] {
            let wrapped = object_store::Error::Generic {
                store: "LocalFileSystem",
                source: Box::new(io::Error::from(kind)),
            };
            let error = Error::of_call("write", "chk-1/a".into(), wrapped);
            assert_eq!(error.code(), code, "{kind:?}");
            assert!(!error.is_ambiguous());
        }
    }
}
