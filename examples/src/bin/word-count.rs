//! Counts the words of text files.
//!
//! ```text
//! word-count --input README.md --output counts
//! ```
//!
//! A word is a run of characters between white space. Each line of the output is `word count`:
//! every update in streaming mode, each word once in batch mode (`-D
//! execution.runtime-mode=BATCH`). Without `--output` the counts are printed.

use clap::Parser;
use std::{path::PathBuf, thread, time::Duration};
use weir::prelude::*;

/// Count the words of text files.
#[derive(Parser)]
struct Arguments {
    /// File, folder or glob to read; files ending in .gz are decompressed.
    #[arg(long)]
    input: PathBuf,
    /// File (parallelism 1) or folder to write; printed if left out.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Make the counting fail at the given rate per million words, to see the job restart.
    #[arg(long, hide = true)]
    panics_per_million: Option<u64>,
    /// Read slowly as long as this file exists, to have time to disturb the job.
    #[arg(long, hide = true)]
    slow_while: Option<PathBuf>,
}

fn main() -> weir::Result<()> {
    let arguments = Arguments::parse();
    let env = StreamExecutionEnvironment::new()?;

    let slow_while = arguments.slow_while;
    let words = env
        .read_text_file(arguments.input)
        .flat_map(move |line: Text, out: &mut Collector<(Text, u64)>| {
            if slow_while.as_ref().is_some_and(|file| file.exists()) {
                thread::sleep(Duration::from_micros(200));
            }
            out.extend(line.words().map(|word| (word, 1)));
        })
        .seal();
    let words = match arguments.panics_per_million {
        Some(rate) => words
            .map(move |counted| {
                fail_sometimes(rate);
                counted
            })
            .seal(),
        None => words,
    };
    let counts = words.key_by(|(word, _)| word.clone()).sum(|(_, count)| count).uid("count");

    match arguments.output {
        Some(path) => counts.write_as_text_with(path, line),
        None => counts.print_with(line),
    };
    env.execute("word count")?;
    Ok(())
}

fn line((word, count): &(Text, u64), out: &mut String) {
    out.push_str(word);
    out.push(' ');
    out.push_str(&count.to_string());
}

/// Simulates a defect in user code that occurs now and then.
fn fail_sometimes(per_million: u64) {
    use std::{
        collections::hash_map::RandomState,
        hash::{BuildHasher, Hasher},
    };
    if RandomState::new().build_hasher().finish() % 1_000_000 < per_million {
        panic!("a defect that shows now and then");
    }
}
