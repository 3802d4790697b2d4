//! Where the value of a key comes from. An origin travels with the value, so that every process and
//! every page can show it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Nowhere: it is the embedded default.
    Default,
    /// In a file, at a line counted from 1.
    File {
        /// The file, as it was given.
        path: String,
        /// The line.
        line: usize,
    },
    /// In the environment variable of this name.
    Variable(String),
    /// In a `-D` argument.
    Dynamic,
    /// In the command-line flag of this name, such as `-p`.
    Flag(String),
    /// In the code of the program.
    Program,
    /// In the configuration of the cluster, by this key.
    Cluster(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Dynamic => f.write_str("a -D argument"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Program => f.write_str("the program"),
            Self::Cluster(key) => write!(f, "{key} of the cluster"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_as_places() {
        let path = "conf/weir.yaml".to_owned();
        for (origin, expect) in [
            (Origin::Default, "the default"),
            (Origin::File { path, line: 7 }, "conf/weir.yaml:7"),
            (Origin::Variable("WEIR_CONF_A".to_owned()), "environment variable WEIR_CONF_A"),
            (Origin::Dynamic, "a -D argument"),
            (Origin::Flag("-p".to_owned()), "flag -p"),
            (Origin::Program, "the program"),
            (Origin::Cluster("a.b".to_owned()), "a.b of the cluster"),
        ] {
            assert_eq!(origin.to_string(), expect);
            let json = serde_json::to_string(&origin).expect("plain data");
            assert_eq!(serde_json::from_str::<Origin>(&json).expect(&json), origin);
        }
    }
}
