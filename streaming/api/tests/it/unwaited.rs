//! Jobs without a waiting client.

use crate::support::{Folder, env, sorted_output, within_patience};

#[test]
fn a_job_whose_client_is_dropped_runs_to_its_end() {
    within_patience(|| {
        for client_goes_last in [false, true] {
            let folder = Folder::new();
            let env = env([("parallelism.default", 1)]);
            env.sequence(1, 200_000).filter(|n| n % 50_000 == 0).write_as_text(folder.path("out"));
            let client = env.execute_async("unwaited").expect("it starts");
            if client_goes_last {
                drop(env);
                drop(client);
            } else {
                drop(client);
                drop(env);
            }
            assert_eq!(sorted_output(&folder.path("out")), ["100000", "150000", "200000", "50000"]);
        }
    });
}
