//! The simulator finds nothing in a sound job master, and finds each defect that is put in.

mod cluster;

use weir_simulation::{Defect, Options, run};

#[test]
fn a_hundred_seeds_break_no_rule() {
    for seed in 1..=100 {
        let report = run(seed, Options::default());
        assert_eq!(report.violation, None, "cargo xtask simulate --first-seed {seed} --seeds 1");
    }
}

#[test]
fn a_seed_gives_one_trace() {
    let traced = |seed| run(seed, Options { keep_lines: true, defect: None });
    for seed in [1, 7, 42] {
        assert_eq!(traced(seed), traced(seed));
    }
    assert_ne!(traced(1).trace, traced(2).trace);
}

#[test]
fn keeping_lines_changes_nothing() {
    let kept = run(3, Options { keep_lines: true, defect: None });
    assert_eq!(kept.trace, run(3, Options::default()).trace);
}

#[test]
fn every_defect_is_found() {
    for defect in Defect::ALL {
        let options = Options { keep_lines: false, defect: Some(defect) };
        let found = (1..=300).find_map(|seed| run(seed, options).violation);
        assert!(found.is_some(), "{defect:?} went unnoticed");
    }
}
