//! Writes `docs/configuration.md` and the sample `conf/weir.yaml` from the key tables.
//!
//! A test compares both files with what is written here; `WEIR_BLESS=1 cargo test -p weir-config`
//! brings them up to date.

use std::fmt::Write as _;

use crate::foreign::{self, Treatment};
use crate::key::KeySpec;
use crate::keys::{AREAS, variable};

const INTRODUCTION: &str = "\
<!-- Written from the tables in config/src/keys. To change it: WEIR_BLESS=1 cargo test -p weir-config -->

# Configuration

A key gets its value from the last of these places that sets it:

1. the default given below;
2. the file `weir.yaml` in the folder that the environment variable `WEIR_CONF_DIR` names; without
   the variable no file is read (`conf/weir.yaml` is a sample to start from);
3. an environment variable: `WEIR_CONF_` and the key in upper case, with `_` for every other
   character than a letter or digit, as in `WEIR_CONF_PARALLELISM_DEFAULT=4`;
4. an argument `-D key=value`; if a key is given more than once, the last value is used;
5. a flag of its own, such as `-p`;
6. the code of the program: `env.enable_checkpointing(...)`, `env.set_parallelism(...)` and so on, or
   `env.configure(key, value)` for any key.

An empty value takes a key back to its default.

The configuration of a job is resolved once, when the program calls `execute`: on a cluster in the
client, which sends it with the job. The app master and all task hosts use that one configuration.
`GET /jobs/:jobid/config` and the page *Configuration* of a job show each value with the place that set
it.

A program can set every key that a job reads. `execution.target` and the keys of
[resource manager and node agents](#resource-manager-and-node-agents) are read before the program runs
or by other processes: setting one in code is [an error](errors/WEIR-CFG-0009.md).

The file is YAML. Keys may be written flat or nested, and both may be mixed:

```yaml
parallelism.default: 4
execution:
  checkpointing:
    interval: 10 s
    dir: file:///var/lib/weir/checkpoints
```

- A duration is a whole number and a unit: `ns`, `us`, `ms`, `s`, `min`, `h` or `d`; without a unit
  it is milliseconds.
- A memory size is a whole number and a unit: `b`, `kb`, `mb`, `gb` or `tb`, each 1024 times the one
  before; without a unit it is bytes.
- Names are matched without regard to case, and `_` counts as `-`.

Names are Flink's where Flink has the key; ours begin with `weir.`. A key of Flink that has no
meaning here is ignored with a warning ([the list](#keys-of-flink-that-are-ignored)), or refused where
ignoring it could lose state ([the list](#keys-of-flink-that-are-refused)). Any other unknown key is
[an error](errors/WEIR-CFG-0001.md), and so is [a bad value](errors/WEIR-CFG-0002.md).
";

const REFUSED: &str = "
## Keys of Flink that are refused

Ignoring one of these could lose state, put it elsewhere or weaken a guarantee. Each is
[an error](errors/WEIR-CFG-0010.md), except with the values given.

| key | accepted values | why it is refused |
|---|---|---|
";

const FOREIGN: &str = "
## Keys of Flink that are ignored

A warning names each of these when it is set. `*` stands for any ending.
";

/// The text of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for area in AREAS {
        let _ = write!(text, "\n## {}\n\n", area.title);
        text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        for spec in area.keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                spec.name(),
                spec.expected(),
                spec.default_text().map_or("not set".to_owned(), |text| format!("`{text}`")),
                meaning(spec)
            );
        }
    }
    text.push_str(REFUSED);
    for key in foreign::REFUSED {
        let accepted = match key.treatment {
            Treatment::Refused { harmless: harmless @ [_, ..] } => {
                format!("`{}`", harmless.join("`, `"))
            }
            _ => "none".to_owned(),
        };
        let _ = writeln!(text, "| `{}` | {accepted} | {} |", key.name, key.note);
    }
    text.push_str(FOREIGN);
    let mut note = "";
    for key in foreign::IGNORED {
        if key.note != note {
            note = key.note;
            let _ = write!(text, "\nIgnored because {note}:\n\n");
        }
        let _ = writeln!(text, "- `{}`", key.name);
    }
    text
}

fn meaning(spec: &KeySpec) -> String {
    let mut text = spec.doc().to_owned();
    let code = |names: Vec<&str>| format!("`{}`", names.join("`, `"));
    if !spec.refused().is_empty() {
        let names = spec.refused().iter().map(|(name, _)| *name).collect();
        let _ = write!(text, " Not supported: {}.", code(names));
    }
    if !spec.deprecated().is_empty() {
        let _ = write!(text, " Former spelling: {}.", code(spec.deprecated().to_vec()));
    }
    text
}

const SAMPLE_HEAD: &str = "\
# A sample of weir.yaml with every key commented out, showing its default or, where there is none, an
# example. Copy it, point WEIR_CONF_DIR at its folder, and remove the # before what you change.
# docs/configuration.md explains types, layers and former spellings.
";

/// The text of the sample file `conf/weir.yaml`.
pub fn sample() -> String {
    let mut text = SAMPLE_HEAD.to_owned();
    for area in AREAS {
        let _ = write!(text, "\n# ---- {} ----\n", area.title);
        for spec in area.keys {
            text.push('\n');
            for line in wrapped(spec.doc(), 98) {
                let _ = writeln!(text, "# {line}");
            }
            let not_set = if spec.default_text().is_none() { "; not set by default" } else { "" };
            let _ = writeln!(text, "# ({}{not_set}; {})", spec.expected(), env(spec));
            let _ = writeln!(text, "#{}: {}", spec.name(), spec.example());
        }
    }
    text
}

fn env(spec: &KeySpec) -> String {
    format!("{}{}", crate::VARIABLE_PREFIX, variable(spec.name()))
}

/// Breaks a text into lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_wrapped() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible", 7), ["incomprehensible"]);
    }

    #[test]
    fn cells_of_the_tables_hold_no_bar() {
        let bars = |line: &str| line.matches('|').count();
        let mut expected = 0;
        for line in markdown().lines().filter(|line| line.starts_with('|')) {
            // A table begins with a line of headlines.
            if line.starts_with("| key |") {
                expected = bars(line);
            }
            assert_eq!(bars(line), expected, "{line}");
        }
    }
}
