//! Layers over layers, and what each kind of mistake yields.

use std::path::{Path, PathBuf};

use weir_config::{Config, ConfigBuilder, Error, Origin, Warning, keys};

/// A folder with a `weir.yaml` of this text.
fn conf_dir(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("weir.yaml"), text).expect("writable");
    folder
}

fn build_file(text: &str) -> Result<(Config, Vec<Warning>), Error> {
    let folder = conf_dir(text);
    ConfigBuilder::new().file(folder.path().join("weir.yaml")).build()
}

fn build_env(name: &str, value: &str) -> Result<(Config, Vec<Warning>), Error> {
    ConfigBuilder::new().env([(name, value), ("HOME", "/"), ("WEIR_HOME", "/")]).build()
}

/// The text of an error without the folder of the file.
fn text_of(result: Result<(Config, Vec<Warning>), Error>) -> (String, &'static str) {
    let error = result.expect_err("a mistake");
    let text = error.to_string();
    let path: Option<PathBuf> =
        text.split_whitespace().map(PathBuf::from).find(|path| path.is_absolute());
    let folder = path.as_deref().and_then(Path::parent).map(|folder| folder.join(""));
    let text = match folder {
        Some(folder) => text.replace(&folder.display().to_string(), ""),
        None => text,
    };
    (text, error.code())
}

#[test]
fn later_layers_win_whatever_the_order_of_calls() {
    let folder = conf_dir("parallelism.default: 2\npipeline.name: file\nweir.progress: never\n");
    let path = folder.path().join("weir.yaml");
    let (config, warnings) = ConfigBuilder::new()
        .dynamic("parallelism.default=4")
        .env([("WEIR_CONF_PARALLELISM_DEFAULT", "3"), ("WEIR_CONF_PIPELINE_NAME", "env")])
        .file(&path)
        .build()
        .expect("valid");
    assert_eq!(warnings, []);
    assert_eq!(config.get(&keys::PARALLELISM_DEFAULT), 4);
    assert_eq!(config.origin(&keys::PARALLELISM_DEFAULT), Origin::Dynamic);
    assert_eq!(config.get_optional(&keys::PIPELINE_NAME).as_deref(), Some("env"));
    let variable = Origin::Variable("WEIR_CONF_PIPELINE_NAME".to_owned());
    assert_eq!(config.origin(&keys::PIPELINE_NAME), variable);
    assert_eq!(config.get(&keys::PROGRESS), keys::Progress::Never);
    assert_eq!(
        config.origin(&keys::PROGRESS),
        Origin::File { path: path.display().to_string(), line: 3 }
    );
    assert_eq!(config.origin(&keys::EXCHANGE_BYTES_PER_CHANNEL), Origin::Default);
}

#[test]
fn file_is_found_through_the_variable() {
    let folder = conf_dir("parallelism: {default: 2}");
    let dir = folder.path().as_os_str();
    let (config, _) =
        ConfigBuilder::new().env([("WEIR_CONF_DIR", dir)]).build().expect("the file is there");
    assert_eq!(config.get(&keys::PARALLELISM_DEFAULT), 2);

    let other = conf_dir("parallelism.default: 5");
    let builder = ConfigBuilder::new().env([("WEIR_CONF_DIR", dir)]);
    let (config, _) = builder.file(other.path().join("weir.yaml")).build().expect("valid");
    assert_eq!(config.get(&keys::PARALLELISM_DEFAULT), 5, "a file given wins over one looked up");

    let (config, _) = build_env("WEIR_CONF_DIR", "").expect("an empty variable is none");
    assert_eq!(config, Config::new());
}

#[test]
fn missing_file_is_an_error_when_it_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weir.yaml");
    let given = ConfigBuilder::new().file(&path).build().expect_err("no such file");
    let dir = [("WEIR_CONF_DIR", folder.path().as_os_str())];
    let looked_up = ConfigBuilder::new().env(dir).build().expect_err("no such file");
    for error in [given, looked_up] {
        assert_eq!(error.code(), "WEIR-CFG-0003");
        assert!(error.to_string().contains(&path.display().to_string()));
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn empty_value_resets_a_key_to_its_default() {
    let folder = conf_dir("parallelism.default: 2\nexecution.checkpointing.interval: 10 s\n");
    let (config, _) = ConfigBuilder::new()
        .file(folder.path().join("weir.yaml"))
        .env([("WEIR_CONF_EXECUTION_CHECKPOINTING_INTERVAL", "")])
        .dynamic("parallelism.default=")
        .build()
        .expect("valid");
    assert_eq!(config, Config::new());
    assert!(!config.is_checkpointing_enabled());
}

#[test]
fn former_spellings_are_accepted_with_a_warning() {
    for (old, key, value) in [
        ("execution.buffer-timeout", "execution.buffer-timeout.interval", "-1"),
        ("state.checkpoints.dir", "execution.checkpointing.dir", "/tmp/c"),
        ("state.checkpoints.num-retained", "execution.checkpointing.num-retained", "3"),
        ("state.backend", "state.backend.type", "hashmap"),
        ("restart-strategy", "restart-strategy.type", "off"),
    ] {
        let builder = ConfigBuilder::new().dynamic(format!("{old}={value}"));
        let (config, warnings) = builder.build().expect(old);
        assert_eq!(config.entries().collect::<Vec<_>>(), [(key, value)]);
        assert_eq!(
            warnings.iter().map(Warning::to_string).collect::<Vec<_>>(),
            [format!("{old} in a -D argument is now called {key}")]
        );
    }
}

#[test]
fn flink_keys_without_meaning_are_ignored_with_a_warning() {
    let text = "heartbeat:\n  interval: 4 s\nakka.ask.timeout: 10 s\npipeline.jars: [a, b]\n";
    let (config, warnings) = build_file(text).expect("ignored");
    assert_eq!(config, Config::new());
    let names: Vec<&str> = warnings
        .iter()
        .map(|warning| match warning {
            Warning::Foreign { name, .. } => name.as_str(),
            Warning::Deprecated { .. } => panic!("{warning}"),
        })
        .collect();
    assert_eq!(names, ["heartbeat.interval", "akka.ask.timeout", "pipeline.jars"]);

    let (_, warnings) = build_env("WEIR_CONF_REST_PORT", "8081").expect("ignored");
    assert_eq!(
        warnings[0].to_string(),
        "rest.port in environment variable WEIR_CONF_REST_PORT is ignored: \
         Weir does not support it yet"
    );
}

#[test]
fn what_could_lose_state_is_an_error_in_every_layer() {
    let key = "execution.savepoint.path";
    let why = "is not supported: a job cannot start from a savepoint or a retained checkpoint yet";
    let dynamic = || ConfigBuilder::new().dynamic(format!("{key}=/tmp/savepoint")).build();
    for (result, origin) in [
        (build_file(&format!("{key}: /tmp/savepoint\n")), "weir.yaml:1"),
        (
            build_env("WEIR_CONF_EXECUTION_SAVEPOINT_PATH", "/tmp/savepoint"),
            "environment variable WEIR_CONF_EXECUTION_SAVEPOINT_PATH",
        ),
        (dynamic(), "a -D argument"),
    ] {
        let (text, code) = text_of(result);
        assert_eq!(code, "WEIR-CFG-0010");
        assert!(text.starts_with(&format!("{key} in {origin} {why}")), "{text}");
    }
    let (_, warnings) =
        ConfigBuilder::new().dynamic("high-availability.type=NONE").build().expect("as here");
    assert_eq!(warnings.len(), 1);
}

#[test]
fn storage_that_is_not_a_folder_is_refused_in_every_layer() {
    for key in ["execution.checkpointing.dir", "state.checkpoints.dir", "weir.cluster.storage-dir"]
    {
        for value in ["hdfs://nn/ck", "s3://bucket/ck", "file://host/ck", "file:ck"] {
            let variable = format!("WEIR_CONF_{}", key.to_uppercase().replace(['.', '-'], "_"));
            for result in [
                build_file(&format!("{key}: {value}\n")),
                build_env(&variable, value),
                ConfigBuilder::new().dynamic(format!("{key}={value}")).build(),
            ] {
                let (text, code) = text_of(result);
                assert_eq!(code, "WEIR-CFG-0002", "{text}");
                assert!(text.contains(value) && text.contains("file:"), "{text}");
            }
        }
    }
    let error = Config::new().set_named("state.checkpoints.dir", "hdfs://nn/ck");
    let error = error.expect_err("in code");
    assert_eq!(error.code(), "WEIR-CFG-0002");
    let spelling = "for state.checkpoints.dir (now called execution.checkpointing.dir) in";
    assert!(error.to_string().contains(spelling), "{error}");
}

#[test]
fn errors_in_a_file_name_the_line_and_what_to_do() {
    for (text, code, expect) in [
        (
            "# jobs\nparalelism.default: 4\n",
            "WEIR-CFG-0001",
            "unknown key \"paralelism.default\" in weir.yaml:2; did you mean parallelism.default?",
        ),
        (
            "spark.executor.cores: 4\n",
            "WEIR-CFG-0001",
            "unknown key \"spark.executor.cores\" in weir.yaml:1; docs/configuration.md lists all keys",
        ),
        (
            "parallelism:\n  default: four\n",
            "WEIR-CFG-0002",
            "bad value \"four\" for parallelism.default in weir.yaml:2: it is not a whole number; \
             expected is an integer from 1 to 32768, for example `parallelism.default: 1`",
        ),
        (
            "state.backend: rocksdb\n",
            "WEIR-CFG-0002",
            "bad value \"rocksdb\" for state.backend (now called state.backend.type) in \
             weir.yaml:1: the RocksDB state backend is not supported yet; expected is the name hashmap, for example \
             `state.backend.type: hashmap`",
        ),
        (
            "execution.checkpointing.mode: at_least_once\n",
            "WEIR-CFG-0002",
            "bad value \"at_least_once\" for execution.checkpointing.mode in weir.yaml:1: \
             at-least-once checkpoints are not supported yet; exactly-once ones give the stronger \
             guarantee; expected is the name EXACTLY_ONCE, for example \
             `execution.checkpointing.mode: EXACTLY_ONCE`",
        ),
        (
            "execution.checkpointing.interval: 1 ms\n",
            "WEIR-CFG-0002",
            "bad value \"1 ms\" for execution.checkpointing.interval in weir.yaml:1: it is too \
             small; expected is a duration of at least 10 ms, for example \
             `execution.checkpointing.interval: 10 s`",
        ),
        (
            "a: [1\n",
            "WEIR-CFG-0004",
            "malformed configuration file weir.yaml:2: while parsing a flow sequence, expected \
             ',' or ']'",
        ),
        (
            "parallelism.default: 1\nparallelism: {default: 2}\n",
            "WEIR-CFG-0007",
            "parallelism.default is set twice, in weir.yaml:1 and in weir.yaml:2: remove one of \
             them",
        ),
        (
            "state.backend: hashmap\nstate.backend.type: hashmap\n",
            "WEIR-CFG-0007",
            "state.backend.type is set twice, in weir.yaml:1 and in weir.yaml:2: remove one of \
             them",
        ),
    ] {
        let (actual, actual_code) = text_of(build_file(text));
        assert_eq!((actual.as_str(), actual_code), (expect, code), "{text}");
    }
}

#[test]
fn errors_in_a_variable_name_the_variable() {
    for (name, value, code, expect) in [
        (
            "WEIR_CONF_PARALELISM_DEFAULT",
            "4",
            "WEIR-CFG-0006",
            "environment variable WEIR_CONF_PARALELISM_DEFAULT names no key; did you mean \
             WEIR_CONF_PARALLELISM_DEFAULT?",
        ),
        (
            "WEIR_CONF_TASK_CANCELLATION_TIMEOUT",
            "soon",
            "WEIR-CFG-0002",
            "bad value \"soon\" for task.cancellation.timeout in environment variable \
             WEIR_CONF_TASK_CANCELLATION_TIMEOUT: \"soon\" does not start with a whole number \
             (write for example \"10 s\"); expected is a duration of at least 1 ms, for example \
             `task.cancellation.timeout: 5 s`",
        ),
    ] {
        assert_eq!(text_of(build_env(name, value)), (expect.to_owned(), code), "{name}");
    }
    let both =
        [("WEIR_CONF_STATE_BACKEND", "hashmap"), ("WEIR_CONF_STATE_BACKEND_TYPE", "hashmap")];
    let error = ConfigBuilder::new().env(both).build().expect_err("set twice");
    assert_eq!(error.code(), "WEIR-CFG-0007");
}

#[cfg(unix)]
#[test]
fn variable_that_is_not_utf8_is_a_bad_value() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;

    let name = OsString::from("WEIR_CONF_PIPELINE_NAME");
    let value = OsStr::from_bytes(&[b'a', 0xff]);
    let error = ConfigBuilder::new().env([(name, value)]).build().expect_err("not UTF-8");
    assert_eq!(error.code(), "WEIR-CFG-0002");
    assert!(error.to_string().contains("it is not UTF-8"));
}

#[test]
fn every_key_can_be_set_through_its_variable() {
    for key in keys::all() {
        let name: String = key
            .name()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        let (config, warnings) =
            build_env(&format!("WEIR_CONF_{name}"), key.example()).expect(&name);
        assert_eq!(config.entries().collect::<Vec<_>>(), [(key.name(), key.example())]);
        assert_eq!(warnings, []);
    }
}
