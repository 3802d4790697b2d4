//! Process functions: an author's own operator with a life cycle, one record at a time.
//!
//! State: the function's own fields, which are not in checkpoints; for state that survives, key
//! the stream and use a [`KeyedProcessFunction`](crate::KeyedProcessFunction). Cost: one call of
//! the function per record.

use weir_dataflow::{
    Batch, Collector, Error, Operator, OperatorContext, Record, RestoredState, Result, SubtaskInfo,
    batch::MAX_RECORDS,
};

/// What user functions return: any error fails the task and is shown with its text.
pub type UserResult<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What a function may know about where it runs.
#[derive(Clone, Copy)]
pub struct RuntimeContext<'a> {
    info: &'a SubtaskInfo,
}

impl<'a> RuntimeContext<'a> {
    pub(crate) fn new(info: &'a SubtaskInfo) -> Self {
        Self { info }
    }

    /// Name of the job.
    pub fn job_name(&self) -> &'a str {
        &self.info.job_name
    }

    /// Name of the operator.
    pub fn operator_name(&self) -> &'a str {
        &self.info.operator_name
    }

    /// Index of this subtask, from 0.
    pub fn subtask(&self) -> u32 {
        self.info.subtask
    }

    /// Number of subtasks.
    pub fn parallelism(&self) -> u32 {
        self.info.parallelism
    }

    /// Number of key groups.
    pub fn max_parallelism(&self) -> u32 {
        self.info.max_parallelism
    }

    /// Number of this deployment; grows with every restart.
    pub fn attempt(&self) -> u64 {
        self.info.attempt.0
    }
}

/// A function with a life cycle. Each subtask works on a clone of the one that was handed over.
pub trait ProcessFunction: Clone + Send + 'static {
    /// What goes in.
    type In: Record;
    /// What comes out.
    type Out: Record;

    /// Called before the first record.
    fn open(&mut self, _context: RuntimeContext<'_>) -> UserResult {
        Ok(())
    }

    /// Handles a record.
    fn process(&mut self, record: Self::In, out: &mut Collector<Self::Out>) -> UserResult;

    /// Called when no record follows; may emit what is left.
    fn finish(&mut self, _out: &mut Collector<Self::Out>) -> UserResult {
        Ok(())
    }

    /// Called last, also after errors.
    fn close(&mut self) -> UserResult {
        Ok(())
    }
}

/// The operator of a [`ProcessFunction`].
pub struct Process<P: ProcessFunction> {
    function: P,
    out: Collector<P::Out>,
}

impl<P: ProcessFunction> Process<P> {
    /// An operator of a function.
    pub fn new(function: P) -> Self {
        Self { function, out: Collector::new() }
    }

    fn emit(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        if self.out.is_empty() { Ok(()) } else { ctx.emit_records(self.out.take()) }
    }
}

impl<P: ProcessFunction> Operator for Process<P> {
    fn open(&mut self, info: &SubtaskInfo, _: &mut RestoredState) -> Result<()> {
        self.function.open(RuntimeContext::new(info)).map_err(Error::User)
    }

    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        for record in batch.into_records::<P::In>()? {
            self.function.process(record, &mut self.out).map_err(Error::User)?;
            if self.out.len() >= MAX_RECORDS {
                self.emit(ctx)?;
            }
        }
        self.emit(ctx)
    }

    fn finish(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.function.finish(&mut self.out).map_err(Error::User)?;
        self.emit(ctx)
    }

    fn close(&mut self) -> Result<()> {
        self.function.close().map_err(Error::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{info, run_on};
    use weir_dataflow::operator::Gathered;

    #[derive(Clone, Default)]
    struct Numbered {
        subtask: u32,
        seen: u64,
    }

    impl ProcessFunction for Numbered {
        type In = u64;
        type Out = (u32, u64);

        fn open(&mut self, context: RuntimeContext<'_>) -> UserResult {
            self.subtask = context.subtask();
            Ok(())
        }

        fn process(&mut self, record: u64, out: &mut Collector<(u32, u64)>) -> UserResult {
            if record == 13 {
                return Err("13 is not welcome".into());
            }
            self.seen += 1;
            out.collect((self.subtask, record));
            Ok(())
        }

        fn finish(&mut self, out: &mut Collector<(u32, u64)>) -> UserResult {
            out.collect((self.subtask, self.seen));
            Ok(())
        }
    }

    #[test]
    fn the_life_cycle_is_kept_and_knows_its_subtask() {
        let mut operator = Process::new(Numbered::default());
        operator.open(&info(1, 2), &mut RestoredState::default()).unwrap();
        let out: Vec<(u32, u64)> = run_on(&mut operator, vec![5u64, 6]);
        assert_eq!(out, [(1, 5), (1, 6)]);
        let mut gathered = Gathered::default();
        operator.finish(&mut OperatorContext::new(&mut gathered, 0)).unwrap();
        assert_eq!(gathered.take_records::<(u32, u64)>().unwrap(), [(1, 2)]);
    }

    #[test]
    fn an_error_of_the_function_is_the_users() {
        let mut operator = Process::new(Numbered::default());
        let mut gathered = Gathered::default();
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        let error = operator.on_batch(0, Batch::of(vec![13u64]), &mut ctx).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("WEIR-TASK-0002", "13 is not welcome")
        );
    }
}
