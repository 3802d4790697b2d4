//! Counts the words that come in over a socket, in windows of five seconds.
//!
//! ```text
//! nc -lk 9000                                          in one terminal
//! socket-window-word-count --hostname localhost --port 9000
//! ```
//!
//! Type words into the first terminal; every five seconds the second prints `word : count`.

use clap::Parser;
use std::time::Duration;
use weir::prelude::*;

/// Count the words that come in over a socket, every five seconds.
#[derive(Parser)]
struct Arguments {
    /// Host to connect to.
    #[arg(long, default_value = "localhost")]
    hostname: String,
    /// Port to connect to.
    #[arg(long)]
    port: u16,
}

fn main() -> weir::Result<()> {
    let arguments = Arguments::parse();
    let env = StreamExecutionEnvironment::new()?;

    env.socket_text_stream(&arguments.hostname, arguments.port)
        .flat_map(|line: Text, out: &mut Collector<(Text, u64)>| {
            out.extend(line.split_whitespace().map(|word| (Text::from(word), 1)));
        })
        .key_by(|(word, _)| word.clone())
        .window(TumblingProcessingTimeWindows::of(Duration::from_secs(5)))
        .sum(|(_, count)| count)
        .print_with(|(word, count), out| {
            out.push_str(&format!("{word} : {count}"));
        })
        .set_parallelism(1);

    env.execute("socket window word count")?;
    Ok(())
}
