//! Counts the words of two lines: the first job, as README.md quotes it.

use weir::prelude::*;

fn main() -> weir::Result<()> {
    let env = StreamExecutionEnvironment::new()?;

    env.from_elements(["to be or not to be", "that is the question"].map(Text::from))
        .flat_map(|line: Text, out: &mut Collector<(Text, u64)>| {
            out.extend(line.split_whitespace().map(|word| (Text::from(word), 1)));
        })
        .key_by(|(word, _)| word.clone())
        .sum(|(_, count)| count)
        .print();

    env.execute("first job")?;
    Ok(())
}
