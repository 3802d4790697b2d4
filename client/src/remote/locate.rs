//! Finds the cluster of a command, and its token.
//!
//! | address | token |
//! |---|---|
//! | `--cluster` | `--token-file` |
//! | the cluster of `--data-dir` | the file `token` of that folder, if the address is its cluster's |
//! | `yarn.resourcemanager.webapp.address`, where the configuration sets it | `WEIR_TOKEN` |
//! | the cluster started on the default data folder | the file `token` of that folder, if the address is its cluster's |
//!
//! In each column the first that says something counts. Only what changes something takes a token. The
//! data folder is only looked at for what nothing else says, and may be damaged otherwise.

use super::problem::no_cluster;
use crate::cluster::record::Record;
use crate::flags::ClusterFlags;
use crate::problem::Problem;
use std::fs;
use std::path::{Path, PathBuf};
use weir_config::{Config, ConfigBuilder, keys};

/// The variable that names the folder of the cluster on this machine.
const DATA_DIR_VARIABLE: &str = "WEIR_DATA_DIR";
/// The variable that holds the token.
const TOKEN_VARIABLE: &str = "WEIR_TOKEN";

/// A cluster to talk to.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port` of its resource manager.
    pub address: String,
    /// Its token, if one is known.
    pub token: Option<String>,
    /// Where the token comes from.
    pub token_origin: String,
}

impl Target {
    /// Finds it, with the configuration of the environment.
    pub fn find(flags: &ClusterFlags) -> Result<Self, Problem> {
        let (config, _) = ConfigBuilder::new().env(std::env::vars_os()).build()?;
        Self::find_with(flags, &config)
    }

    pub fn find_with(flags: &ClusterFlags, config: &Config) -> Result<Self, Problem> {
        let named = flags.data_dir.data_dir.as_deref();
        let here = Here::look(named);
        let address = match &flags.cluster {
            Some(typed) => checked_address(typed)?,
            None if named.is_some() => here.as_ref().map_err(Clone::clone)?.address()?,
            None if config.is_set(&keys::RESOURCE_MANAGER_ADDRESS) => {
                config.get(&keys::RESOURCE_MANAGER_ADDRESS)
            }
            None => here.as_ref().map_err(Clone::clone)?.address()?,
        };
        let data_dir = here.as_ref().ok().and_then(|here| here.folder_of(&address));
        let (token, token_origin) = find_token(flags, data_dir)?;
        Ok(Self { address, token, token_origin })
    }
}

/// A data folder, and where its cluster listens.
struct Here {
    data_dir: PathBuf,
    address: Option<String>,
}

impl Here {
    fn look(named: Option<&Path>) -> Result<Self, Problem> {
        let data_dir = named.map(Path::to_owned).map_or_else(default_data_dir, Ok)?;
        let address = Record::load(&data_dir)?.map(|record| record.address);
        Ok(Self { data_dir, address: address.filter(|address| !address.is_empty()) })
    }

    fn address(&self) -> Result<String, Problem> {
        self.address.clone().ok_or_else(|| no_cluster(&self.data_dir))
    }

    /// The folder, if it is that of the cluster at an address.
    fn folder_of(&self, address: &str) -> Option<&Path> {
        let is_it = self.address.as_ref().is_some_and(|here| same_place(here, address));
        is_it.then_some(self.data_dir.as_path())
    }
}

/// The folder of the cluster on this machine.
pub fn default_data_dir() -> Result<PathBuf, Problem> {
    if let Some(named) = std::env::var_os(DATA_DIR_VARIABLE).filter(|name| !name.is_empty()) {
        return Ok(PathBuf::from(named));
    }
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    home.map(|home| home.join(".weir")).ok_or_else(|| {
        Problem::failure("WEIR-CLUSTER-0006", "this user has no home folder for ~/.weir")
            .help("name a folder with --data-dir or in the variable WEIR_DATA_DIR")
    })
}

/// An address without what people paste along with it.
pub fn without_scheme(typed: &str) -> &str {
    let rest = typed.strip_prefix("http://").unwrap_or(typed);
    rest.split(['/', '#', '?']).next().unwrap_or(rest)
}

/// An address as typed, without its scheme.
pub fn checked_address(typed: &str) -> Result<String, Problem> {
    let address = without_scheme(typed);
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(1..)) => Ok(address.to_owned()),
        _ => Err(Problem::usage(format!("{typed:?} is no address of a resource manager"))
            .help("give --cluster a host and a port, as in 127.0.0.1:8088")),
    }
}

/// Whether two spellings name one place on this machine.
fn same_place(one: &str, other: &str) -> bool {
    let spelled = |address: &str| address.replace("localhost:", "127.0.0.1:");
    spelled(one) == spelled(other)
}

fn find_token(
    flags: &ClusterFlags,
    data_dir: Option<&Path>,
) -> Result<(Option<String>, String), Problem> {
    if let Some(file) = &flags.token_file {
        return Ok((Some(read_token(file)?), format!("in {}", file.display())));
    }
    let of_folder = data_dir.map(|folder| folder.join("token")).filter(|file| file.exists());
    // A folder that was named goes over the variable.
    if let Some(file) = of_folder.as_deref().filter(|_| flags.data_dir.data_dir.is_some()) {
        return Ok((Some(read_token(file)?), format!("in {}", file.display())));
    }
    if let Ok(token) = std::env::var(TOKEN_VARIABLE)
        && !token.trim().is_empty()
    {
        return Ok((Some(token.trim().to_owned()), format!("in the variable {TOKEN_VARIABLE}")));
    }
    match of_folder {
        Some(file) => Ok((Some(read_token(&file)?), format!("in {}", file.display()))),
        None => Ok((None, String::new())),
    }
}

/// One line without blanks, as a header needs it. The cluster checks whether it is right.
fn read_token(file: &Path) -> Result<String, Problem> {
    let refused = |problem: String| {
        let what = format!("cannot use the token in {}: {problem}", file.display());
        Problem::failure("WEIR-CLI-0205", what)
            .help("name the file `token` of the cluster's data folder with --token-file")
    };
    let text = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    let token = text.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    match is_token {
        true => Ok(token.to_owned()),
        false => Err(refused("it does not hold one word".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_paste_them() {
        for (typed, address) in [
            ("127.0.0.1:8088", "127.0.0.1:8088"),
            ("http://127.0.0.1:8088/#token=ab", "127.0.0.1:8088"),
            ("node7:1", "node7:1"),
            ("[::1]:8088", "[::1]:8088"),
        ] {
            assert_eq!(checked_address(typed).expect(typed), address);
        }
        for typed in ["", "host", ":8088", "host:0", "host:99999", "host:port"] {
            assert!(checked_address(typed).is_err(), "{typed}");
        }
        assert!(same_place("localhost:1", "127.0.0.1:1") && !same_place("a:1", "a:2"));
    }

    #[test]
    fn token_file_must_hold_a_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        for (text, token) in [("abc\n", Some("abc")), ("", None), ("a b", None)] {
            fs::write(&file, text).expect("written");
            assert_eq!(read_token(&file).ok().as_deref(), token, "{text:?}");
        }
        let problem = read_token(&folder.path().join("none")).expect_err("not there");
        assert_eq!(problem.code.as_deref(), Some("WEIR-CLI-0205"));
    }
}
