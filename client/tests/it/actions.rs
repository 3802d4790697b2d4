//! Actions, usage errors, version, completions, and a reader that goes away.

use crate::fixture::{Ended, Folder};

#[test]
fn no_action_prints_help_and_asks_for_one() {
    let ended = Folder::new().weir(&[]);
    ended.fails(2, &["Usage: weir", "completions", "\nPlease specify an action.\n"]);
}

#[test]
fn unknown_action_is_named_with_the_valid_ones() {
    let ended = Folder::new().weir(&["ruin"]);
    ended.fails(
        2,
        &[
            "\"ruin\" is not a valid action.",
            "Did you mean \"run\"?",
            "Valid actions are \"run\", \"info\", \"list\", \"cancel\", \"cluster\", ",
        ],
    );
}

#[test]
fn suggestion_is_the_nearest_action() {
    let folder = Folder::new();
    folder.weir(&["lst"]).fails(2, &["Did you mean \"list\"?"]);
    folder.weir(&["cancle"]).fails(2, &["Did you mean \"cancel\"?"]);
    let ended = folder.weir(&["frobnicate"]);
    ended.fails(2, &["\"frobnicate\" is not a valid action."]);
    assert!(!ended.stderr.contains("Did you mean"), "{ended:#?}");
    let ended = folder.weir(&["run", "--no-such-flag", "job"]);
    assert!(!ended.stderr.contains("tip:"), "{ended:#?}");
}

#[test]
fn what_flink_has_and_weir_has_not_says_so() {
    let folder = Folder::new();
    folder.script("x.py", "touch started");
    for (line, parts) in [
        (&["stop", "5d7c"][..], &["no `weir stop` yet", "weir cancel JOB"][..]),
        (
            &["savepoint", "5d7c", "/s"],
            &["no `weir savepoint` yet", "execution.checkpointing.interval"],
        ),
        (&["checkpoint", "5d7c"], &["no `weir checkpoint` yet"]),
        (&["yarn-session", "-d"], &["no `weir yarn-session` yet", "-t per-job"]),
        (&["yarn-session.sh"], &["no `weir yarn-session` yet"]),
        (&["sql-client"], &["no `weir sql-client` yet"]),
        (&["run-application", "job"], &["no `weir run-application` yet", "-t per-job"]),
        (&["run", "-m", "h:8081", "./x.py"], &["no -m yet", "--cluster HOST:PORT"]),
        (&["run", "-d", "-c", "a.B", "./x.py"], &["no -c:", "native executable"]),
        (&["run", "-yid", "application_1_1", "./x.py"], &["no -yid yet"]),
        (
            &["run", "-yjm", "1024", "./x.py"],
            &["no -yjm:", "-D jobmanager.memory.process.size=SIZE"],
        ),
        (&["run", "--yarntaskManagerMemory=1g", "./x.py"], &["no --yarntaskManagerMemory:"]),
        (&["run", "-ys", "2", "./x.py"], &["no -ys:", "taskmanager.numberOfTaskSlots"]),
        (&["run", "-n", "./x.py"], &["no -n yet"]),
        (&["run", "-py", "x.py"], &["no -py:", "Rust"]),
        (&["cancel", "-s", "5d7c"], &["`weir cancel` has no -s yet"]),
        (&["application", "-list"], &["no -list:", "`weir application list`"]),
        (
            &["application", "-list", "-appStates", "ALL"],
            &["`weir application list`; use `weir application list --states STATES`"],
        ),
        (&["yarn", "logs", "-applicationId", "a"], &["`weir logs APPLICATION`"]),
        (&["node", "-list"], &["`weir node list`"]),
        (&["container", "-list", "a"], &["no `weir container` yet"]),
    ] {
        let ended = folder.weir(line);
        ended.fails(2, &[parts, &["docs/coming-from-flink.md#", "WEIR-CLI-0010"]].concat());
        assert!(!ended.stderr.contains("tip:"), "{ended:#?}");
    }
    assert!(!folder.path("started").exists());
}

#[test]
fn wrong_usage_exits_with_2_and_points_to_help() {
    let folder = Folder::new();
    for (line, part) in [
        (&["run"][..], "<EXECUTABLE>"),
        (&["run", "--no-such-flag", "job"], "--no-such-flag"),
        (&["run", "--output", "xml", "job"], "[possible values: text, json]"),
        (&["run", ""], "no executable is given"),
        (&["completions", "tcsh"], "tcsh"),
        (&["cluster", "begin"], "'begin'"),
        (&["run", "-sae", "-d", "job"], "--detached"),
    ] {
        folder.weir(line).fails(2, &["error: ", part]);
    }
}

#[test]
fn bad_values_are_refused_before_anything_starts() {
    let folder = Folder::new();
    folder.script("job", "touch started");
    let config_file = "paralelism.default: 4\n";
    folder.file("weir.yaml", config_file, 0o644);
    for (line, code, parts) in [
        (
            &["run", "-p", "0", "./job"][..],
            2,
            &["error: The parallelism must be a positive number: 0\n"][..],
        ),
        (&["info", "-p", "-3", "./job"], 2, &["must be a positive number: -3"]),
        (
            &["run", "-D", "paralelism.default=2", "./job"],
            2,
            &["did you mean parallelism.default?", "see docs/errors/WEIR-CFG-0001.md"],
        ),
        (&["run", "-D", "parallelism.default", "./job"], 2, &["WEIR-CFG-0005"]),
        (&["run", "--config", "weir.yaml", "./job"], 1, &["in weir.yaml:1", "WEIR-CFG-0001"]),
        (&["run", "--config", "none.yaml", "./job"], 1, &["No such file", "WEIR-CFG-0003"]),
        (
            &["run", "-t", "yarn-per-job", "./job"],
            2,
            &["it is called per-job", "use -t per-job to run the job", "WEIR-CLI-0007"],
        ),
        (&["run", "-t", "moon", "./job"], 2, &["unknown target \"moon\"", "WEIR-CLI-0007"]),
        (&["run", "-d", "./job"], 2, &["cannot be detached", "WEIR-CLI-0007"]),
        (&["run", "-s", "/tmp/s", "./job"], 2, &["savepoint", "WEIR-CLI-0010"]),
    ] {
        let ended = folder.weir(line);
        ended.fails(code, parts);
        assert_eq!(ended.stdout, "", "{line:?}");
    }
    assert!(!folder.path("started").exists());
}

#[test]
fn version_names_release_and_commit() {
    let folder = Folder::new();
    for flag in ["--version", "-v"] {
        let ended = folder.weir(&[flag]);
        ended.succeeds();
        let start = format!("Version: {}, Commit ID: ", env!("CARGO_PKG_VERSION"));
        let commit = ended.stdout.strip_prefix(&start).expect("the form of Flink's").trim_end();
        assert!(commit.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !commit.is_empty());
    }
}

#[test]
fn completions_know_actions_and_flags() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let ended = folder.weir(&["completions", shell]);
        ended.succeeds();
        for word in ["run", "info", "parallelism", "shutdownOnAttachedExit", "node-agents", "logs"]
        {
            assert!(ended.stdout.contains(word), "{shell} lacks {word}");
        }
    }
}

#[test]
fn reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    for arguments in [&["completions", "bash"][..], &["--version"], &["run", "--help"]] {
        let mut child = folder.start(&mut folder.command(arguments));
        drop(child.stdout.take());
        Ended::of(child).succeeds();
    }
}
