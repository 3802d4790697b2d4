//! The simulator finds nothing in sound brains of a cluster, and finds each defect that is put in.

use weir_simulation::cluster::{Defect, Options, run};

#[test]
fn a_hundred_seeds_break_no_rule() {
    for seed in 1..=100 {
        let report = run(seed, Options::default());
        let replay = "cargo xtask simulate --world cluster --seeds 1 --first-seed";
        assert_eq!(report.violation, None, "{replay} {seed}");
    }
}

#[test]
fn runs_are_not_idle() {
    let reports = (1..=100).map(|seed| run(seed, Options::default()));
    let total = reports.map(|report| report.counts).reduce(|a, b| a.plus(b)).unwrap();
    assert!(total.manager_starts > 150 && total.agent_starts > 350, "{total}");
    assert!(total.lost_messages > 200 && total.processes > 1000, "{total}");
    let (submitted, succeeded) = (total.applications, total.succeeded);
    assert!(submitted > 200 && succeeded * 3 > submitted, "{total}");
    assert!(succeeded < submitted, "{total}");
}

#[test]
fn a_seed_gives_one_trace() {
    let traced = |seed| run(seed, Options { keep_lines: true, defect: None });
    for seed in [1, 7, 42] {
        assert_eq!(traced(seed), traced(seed));
    }
    assert_ne!(traced(1).trace, traced(2).trace);
    assert_eq!(traced(3).trace, run(3, Options::default()).trace, "keeping lines changes nothing");
}

#[test]
fn every_defect_is_found() {
    for defect in Defect::ALL {
        let options = Options { keep_lines: false, defect: Some(defect) };
        let found = (1..=300).find_map(|seed| run(seed, options).violation);
        println!("{defect:?}: {found:?}");
        assert!(found.is_some(), "{defect:?} went unnoticed");
    }
}
