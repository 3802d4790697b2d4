//! Keyed state and timers: adds up amounts per account, and prints the total of an account once it has
//! been quiet for a while.
//!
//! ```text
//! nc -lk 9000                                          in one terminal
//! quiet-accounts --port 9000                           in another
//! ```
//!
//! Type lines such as `alice 5` into the first. Each line restarts the wait of its account.

use clap::Parser;
use weir::{Timestamp, prelude::*};

/// Print the total of each account that has been quiet for a while.
#[derive(Parser)]
struct Arguments {
    /// Host to connect to.
    #[arg(long, default_value = "localhost")]
    hostname: String,
    /// Port to connect to.
    #[arg(long)]
    port: u16,
    /// How long an account must be quiet, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    quiet_ms: i64,
}

/// Emits the total of an account when its timer fires.
#[derive(Clone)]
struct TotalWhenQuiet {
    quiet_ms: i64,
    total: StateHandle<u64>,
    /// When the timer of the account is due.
    due: StateHandle<Timestamp>,
}

impl KeyedProcessFunction for TotalWhenQuiet {
    type Key = Text;
    type In = (Text, u64);
    type Out = (Text, u64);

    fn declare(&mut self, states: &mut States<Text>) {
        self.total = states.value("total");
        self.due = states.value("due");
    }

    fn process(
        &mut self,
        (_, amount): (Text, u64),
        context: &mut KeyedContext<'_, Text>,
        _: &mut Collector<(Text, u64)>,
    ) -> UserResult {
        context.update(self.total, |total| *total += amount);
        if let Some(due) = context.get(self.due).copied() {
            context.delete_processing_time_timer(due);
        }
        let due = context.processing_time() + self.quiet_ms;
        context.register_processing_time_timer(due);
        context.set(self.due, due);
        Ok(())
    }

    fn on_timer(
        &mut self,
        _: Timestamp,
        context: &mut KeyedContext<'_, Text>,
        out: &mut Collector<(Text, u64)>,
    ) -> UserResult {
        context.clear(self.due);
        if let Some(total) = context.clear(self.total) {
            out.collect((context.key().clone(), total));
        }
        Ok(())
    }
}

fn main() -> weir::Result<()> {
    let Arguments { hostname, port, quiet_ms } = Arguments::parse();
    let env = StreamExecutionEnvironment::new()?;

    let total_when_quiet =
        TotalWhenQuiet { quiet_ms, total: StateHandle::default(), due: StateHandle::default() };
    env.socket_text_stream(&hostname, port)
        .try_map(|line: Text| {
            let (account, amount) = line.split_once(' ').ok_or("expected: account amount")?;
            Ok((Text::from(account), amount.trim().parse()?))
        })
        .key_by(|(account, _)| account.clone())
        .process(total_when_quiet)
        .name("Total When Quiet")
        .uid("total-when-quiet")
        .print_with(|(account, total), out| {
            out.push_str(&format!("{account} : {total}"));
        })
        .set_parallelism(1);

    env.execute("quiet accounts")?;
    Ok(())
}
