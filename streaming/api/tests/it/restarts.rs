//! Output of a program whose job restarts.
//!
//! The program is this test binary, started again to run only [`job_of_a_program`]: only a program, not a
//! library, prints.

use crate::support::within_patience;
use std::process::{Command, Stdio};
use weir::StreamExecutionEnvironment;

#[test]
#[ignore = "the other test starts it in a process of its own"]
fn job_of_a_program() {
    let env = StreamExecutionEnvironment::new().expect("an environment");
    env.sequence(1, 20)
        .try_map(|n| if n == 13 { Err("13 is not welcome".into()) } else { Ok(n) })
        .name("Doorman")
        .discard();
    env.execute("doors").expect_err("it never gets past 13");
}

#[test]
fn restarts_are_printed_also_without_progress() {
    within_patience(|| {
        let output = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "restarts::job_of_a_program", "--ignored", "--nocapture"])
            .env("WEIR_CONF_WEIR_PROGRESS", "NEVER")
            .env("WEIR_CONF_RESTART_STRATEGY_TYPE", "fixed-delay")
            .env("WEIR_CONF_RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS", "1")
            .env("WEIR_CONF_RESTART_STRATEGY_FIXED_DELAY_DELAY", "5 ms")
            .stdin(Stdio::null())
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let warnings: Vec<_> = text.lines().filter(|line| line.contains("restarts")).collect();
        let [warning] = warnings.as_slice() else { panic!("one warning is due: {text}") };
        let start = "warning: job restarts (restart 1, delay 5 ms): operator \"Doorman\", subtask ";
        assert!(warning.starts_with(start), "{warning}");
        assert!(warning.ends_with(": 13 is not welcome (WEIR-TASK-0002)"), "{warning}");
        assert!(!text.contains("progress:"), "{text}");
    });
}
