//! Resources that a container requests and a node offers.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Memory and virtual cores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Virtual cores.
    pub vcores: u32,
}

impl Resources {
    /// Whether `self` is at most `room` in every dimension.
    pub fn fits_in(self, room: Self) -> bool {
        self.memory_mib <= room.memory_mib && self.vcores <= room.vcores
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            memory_mib: self.memory_mib.checked_add(other.memory_mib)?,
            vcores: self.vcores.checked_add(other.vcores)?,
        })
    }

    /// The sum; saturates at the maximum.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self {
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
            vcores: self.vcores.saturating_add(other.vcores),
        }
    }

    /// The difference, at least 0 in each dimension.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self {
            memory_mib: self.memory_mib.saturating_sub(other.memory_mib),
            vcores: self.vcores.saturating_sub(other.vcores),
        }
    }

    /// The difference, or `None` if it would be negative in a dimension.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self {
            memory_mib: self.memory_mib.checked_sub(other.memory_mib)?,
            vcores: self.vcores.checked_sub(other.vcores)?,
        })
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<memory:{} MiB, vCores:{}>", self.memory_mib, self.vcores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtraction_never_goes_below_zero_in_any_dimension() {
        let node = Resources { memory_mib: 1024, vcores: 2 };
        let wide = Resources { memory_mib: 1, vcores: 3 };
        assert!(!wide.fits_in(node));
        assert_eq!(node.checked_sub(wide), None);
        assert_eq!(node.checked_sub(node), Some(Resources::default()));
    }
}
