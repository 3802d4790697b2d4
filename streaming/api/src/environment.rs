//! [`StreamExecutionEnvironment`]: where a job begins and where it is run.

use crate::{
    connectors::{CollectionSource, SequenceSource, SocketTextSource, TextFileSource},
    error::{Error, Result},
    job::{JobClient, JobExecutionResult, Unwaited},
    launch::Launched,
    local,
    plan::{Body, BuildSettings, Built, Instance, OutputType, Plan, SourceBody},
    remote,
    stream::DataStream,
    task,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use weir_config::{Config, keys};
use weir_coordination::RestartStrategy;
use weir_dataflow::{Record, Source, Text, schema_trace::schema_of};
use weir_graph::{RuntimeMode, Schema};
use weir_operators::{
    UserResult,
    source::{SourceCoordinator, SourceReaderOperator, SplitAssignment},
};
use weir_protocol::job_executable::Role;

/// Flink's name of a job that has none.
const UNNAMED_JOB: &str = "Weir Streaming Job";

/// The beginning of every job: makes sources, keeps the plan, runs it.
///
/// Cheap to clone; clones share the plan. Not `Send`: a plan is written by one thread.
///
/// On a cluster `main` runs in the client, and **again in each task host**, whenever one is started;
/// what is in front of [`execute`](Self::execute) is done each time. What must be done once only is for
/// [`on_submit`](Self::on_submit), a value that must be the same each time for [`once`](Self::once).
#[derive(Clone)]
pub struct StreamExecutionEnvironment {
    inner: Rc<Inner>,
}

struct Inner {
    launched: Launched,
    /// What the program was given, and over it what its code has set.
    config: RefCell<Config>,
    plan: RefCell<Plan>,
    /// Jobs that run on without a client.
    unwaited: Arc<Unwaited>,
}

impl StreamExecutionEnvironment {
    /// The environment of this program, with the configuration of the file and of environment
    /// variables, or with the one that `weir` has given to the program.
    ///
    /// # Errors
    /// A configuration that is not valid. `WEIR-RUN-0011`: the jobs are meant for a cluster
    /// (`execution.target`), but the program was not started with `weir run`.
    pub fn new() -> Result<Self> {
        let (launched, config) = Launched::of_process()?;
        Ok(Self::of(launched, config))
    }

    /// An environment with just this configuration, which runs its jobs in this process without
    /// printing anything: for tests and for programs that embed a job. `execution.target` is not
    /// read.
    pub fn with_config(config: Config) -> Self {
        Self::of(Launched::embedded(), config)
    }

    fn of(launched: Launched, config: Config) -> Self {
        let inner = Inner {
            launched,
            config: RefCell::new(config),
            plan: RefCell::default(),
            unwaited: Arc::default(),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Sets a key of the configuration. The value is written as in `weir.yaml`; an empty one takes
    /// the key back to its default. What is set in code wins over `-D`, flags such as `-p`, the
    /// environment and the file, and holds for the jobs that are executed afterwards, in this process
    /// and on a cluster. A key that is wrong, or that no job reads, is the error of `execute`.
    ///
    /// ```
    /// use weir::prelude::*;
    ///
    /// let env = StreamExecutionEnvironment::new()?;
    /// env.configure("execution.checkpointing.interval", "10 s")
    ///     .configure("taskmanager.memory.process.size", "2 gb");
    /// # Ok::<(), weir::Error>(())
    /// ```
    pub fn configure(&self, key: &str, value: &str) -> &Self {
        self.change(|config| config.set_named(key, value))
    }

    /// Parallelism of operators that set none (`parallelism.default`).
    pub fn set_parallelism(&self, parallelism: u32) -> &Self {
        self.change(|config| config.set(&keys::PARALLELISM_DEFAULT, parallelism))
    }

    /// The parallelism that operators without their own get.
    pub fn parallelism(&self) -> u32 {
        self.inner.config.borrow().get(&keys::PARALLELISM_DEFAULT)
    }

    /// Number of key groups of operators that set none (`pipeline.max-parallelism`).
    pub fn set_max_parallelism(&self, max_parallelism: u32) -> &Self {
        self.change(|config| {
            config
                .set(&keys::PIPELINE_MAX_PARALLELISM, keys::MaxParallelism::Fixed(max_parallelism))
        })
    }

    /// Streaming, batch or automatic (`execution.runtime-mode`).
    pub fn set_runtime_mode(&self, mode: RuntimeMode) -> &Self {
        let mode = match mode {
            RuntimeMode::Streaming => keys::RuntimeMode::Streaming,
            RuntimeMode::Batch => keys::RuntimeMode::Batch,
            RuntimeMode::Automatic => keys::RuntimeMode::Automatic,
        };
        self.change(|config| config.set(&keys::RUNTIME_MODE, mode))
    }

    /// Takes a checkpoint once in every interval (`execution.checkpointing.interval`).
    pub fn enable_checkpointing(&self, interval: Duration) -> &Self {
        self.change(|config| config.set(&keys::CHECKPOINTING_INTERVAL, interval))
    }

    /// What happens when a job fails (`restart-strategy.type` and the keys of that strategy). Without
    /// it a job with checkpoints restarts with delays that grow from 1 s to 1 min, and a job without
    /// checkpoints fails.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{ExponentialDelay, RestartStrategy, prelude::*};
    ///
    /// let env = StreamExecutionEnvironment::new()?;
    /// env.enable_checkpointing(Duration::from_secs(10));
    /// env.set_restart_strategy(&RestartStrategy::ExponentialDelay(ExponentialDelay {
    ///     max_backoff: Duration::from_secs(20),
    ///     attempts_before_reset: 8,
    ///     ..ExponentialDelay::default()
    /// }));
    /// # Ok::<(), weir::Error>(())
    /// ```
    pub fn set_restart_strategy(&self, strategy: &RestartStrategy) -> &Self {
        self.change(|config| weir_job_master::set_restart_strategy(config, strategy))
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Config) -> std::result::Result<(), weir_config::Error>,
    ) -> &Self {
        if let Err(error) = change(&mut self.inner.config.borrow_mut()) {
            self.fail(error.into());
        }
        self
    }

    /// The effective configuration.
    pub fn config(&self) -> Config {
        self.inner.config.borrow().clone()
    }

    /// A value that must be the same whenever `main` runs again, such as a random seed or the
    /// time of submission: computed by the first run and handed to every later one.
    ///
    /// What changes the world outside, such as deleting old output, is for
    /// [`on_submit`](Self::on_submit).
    ///
    /// ```
    /// # use weir::prelude::*;
    /// # let env = StreamExecutionEnvironment::with_config(weir::Config::default());
    /// let seed = env.once("seed", || std::process::id())?;
    /// env.sequence(1, 10).map(move |n| n ^ u64::from(seed)).print();
    /// # env.execute("seeded")?;
    /// # Ok::<(), weir::Error>(())
    /// ```
    pub fn once<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        compute: impl FnOnce() -> T,
    ) -> Result<T> {
        let bytes = match self.inner.launched.recorded(name) {
            Some(bytes) => bytes,
            None => {
                rmp_serde::to_vec_named(&compute()).map_err(|error| once_error(name, &error))?
            }
        };
        let value = rmp_serde::from_slice(&bytes).map_err(|error| once_error(name, &error))?;
        self.inner.launched.record(name, bytes);
        Ok(value)
    }

    /// Does something once, when the next job is submitted, and never when `main` runs again.
    ///
    /// On a cluster `main` runs again in each task host, also in one that replaces a failed one, while
    /// the job has output already. So what changes the world outside (deletes the output of the last
    /// run, creates a table) does not stand in `main` itself:
    ///
    /// ```
    /// use std::{fs, io::ErrorKind};
    /// # use weir::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let output = folder.path().join("output");
    /// # fs::create_dir_all(output.join("of an earlier run"))?;
    /// # let env = StreamExecutionEnvironment::with_config(weir::Config::default());
    /// let old = output.clone();
    /// env.on_submit(move || match fs::remove_dir_all(old) {
    ///     Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
    ///     _ => Ok(()),
    /// });
    /// env.sequence(1, 10).write_as_text(&output);
    /// env.execute("numbers")?;
    /// # assert!(output.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It runs in [`execute`](Self::execute), after the graph was found to be right and before anything
    /// of the job runs: in the program itself in local mode, in the program that `weir run` starts on
    /// the client's machine on a cluster. It does not run in a task host, for `weir info`, nor when
    /// a local job continues from its checkpoint folder (`execution.checkpointing.dir`). Several actions
    /// run in the order of their calls. One that returns an error keeps the job from being submitted:
    /// `execute` returns `WEIR-RUN-0008`.
    ///
    /// A local job recognises by the job log in its checkpoint folder that it continues. If that folder is
    /// on a file system that is not mounted, the job looks like a new one: mount it first.
    pub fn on_submit(&self, action: impl FnOnce() -> UserResult + 'static) -> &Self {
        self.inner.plan.borrow_mut().submit_actions.push(Box::new(action));
        self
    }

    /// A stream of given elements. Parallelism 1.
    pub fn from_elements<T: Record + Sync>(
        &self,
        elements: impl IntoIterator<Item = T>,
    ) -> DataStream<T> {
        self.from_source(CollectionSource::new(elements))
    }

    /// A stream of a collection's elements. Parallelism 1.
    pub fn from_collection<T: Record + Sync>(&self, collection: Vec<T>) -> DataStream<T> {
        self.from_source(CollectionSource::new(collection))
    }

    /// The numbers from `from` to `to`, both included, dealt out in ranges.
    pub fn sequence(&self, from: u64, to: u64) -> DataStream<u64> {
        self.from_source(SequenceSource::new(from, to))
    }

    /// The lines of text files: a file, a folder (with those below) or a glob such as
    /// `logs/*.gz`. Files ending in `.gz` are decompressed. Listed once, when the job starts.
    pub fn read_text_file(&self, path: impl Into<PathBuf>) -> DataStream<Text> {
        self.from_source(TextFileSource::new(path))
    }

    /// The lines that a server sends, until it closes the connection. Parallelism 1.
    pub fn socket_text_stream(&self, hostname: &str, port: u16) -> DataStream<Text> {
        self.from_source(SocketTextSource::new(hostname, port))
    }

    /// The records of a source of any kind.
    pub fn from_source<S: Source>(&self, source: S) -> DataStream<S::Item> {
        let name = format!("Source: {}", source.name());
        let (bounded, serial) = (source.is_bounded(), source.is_serial());
        let (item, assignments) =
            (OutputType::of::<S::Item>(self), OutputType::of::<SplitAssignment<S::Split>>(self));
        let specification = source.specification().unwrap_or_else(|error| {
            self.fail(Error::of_task(&error));
            Vec::new()
        });
        let source = Arc::new(source);
        let coordinator = Instance::deployed("coordinator", Some(assignments), {
            let source = Arc::clone(&source);
            move |deployment| {
                let readers = deployment.outputs.first().map_or(1, |out| out.consumers.len());
                SourceCoordinator::new(Arc::clone(&source), readers as u32)
            }
        });
        let mut reader = Instance::new("source", Some(item), move || {
            SourceReaderOperator::new(Arc::clone(&source))
        });
        reader.specification = specification;
        let body = Body::Source(Box::new(SourceBody { coordinator, reader, bounded, serial }));
        let operation = self.inner.plan.borrow_mut().add(name, Vec::new(), body);
        DataStream::of_operation(self.clone(), operation)
    }

    pub(crate) fn plan<R>(&self, body: impl FnOnce(&mut Plan) -> R) -> R {
        body(&mut self.inner.plan.borrow_mut())
    }

    /// Remembers what is wrong until `execute`.
    pub(crate) fn fail(&self, error: Error) {
        self.inner.plan.borrow_mut().errors.push(error);
    }

    /// Notes an output path of this job.
    pub(crate) fn note_output(&self, path: &Path) {
        self.inner.plan.borrow_mut().note_output(path);
    }

    /// The schema of a type of records or state; what is wrong with it is remembered.
    pub(crate) fn schema_of<T: Record>(&self) -> Schema {
        schema_of::<T>().unwrap_or_else(|error| {
            self.fail(Error::of_task(&error));
            Schema::opaque(std::any::type_name::<T>())
        })
    }

    /// The configuration of the job that is executed now. Its name is the one given to `execute`.
    fn resolve(&self, name: &str) -> Config {
        let mut config = self.inner.config.borrow().clone();
        if !name.trim().is_empty()
            && let Err(error) = config.set(&keys::PIPELINE_NAME, name.to_owned())
        {
            self.fail(error.into());
        }
        config
    }

    fn build(&self, config: &Config) -> Result<Built> {
        let name = config.get_optional(&keys::PIPELINE_NAME);
        let settings = BuildSettings {
            name: name.unwrap_or_else(|| UNNAMED_JOB.to_owned()),
            mode: match config.get(&keys::RUNTIME_MODE) {
                keys::RuntimeMode::Streaming => RuntimeMode::Streaming,
                keys::RuntimeMode::Batch => RuntimeMode::Batch,
                keys::RuntimeMode::Automatic => RuntimeMode::Automatic,
            },
            parallelism: config.get(&keys::PARALLELISM_DEFAULT),
            max_parallelism: config.max_parallelism(),
            chaining: config.get(&keys::PIPELINE_OPERATOR_CHAINING),
            auto_uids: config.get(&keys::PIPELINE_AUTO_GENERATE_UIDS),
        };
        // Also values that were asked for before an earlier job: this one may use them too.
        let mut plan = self.inner.plan.take();
        plan.once = self.inner.launched.all_recorded();
        plan.build(settings)
    }

    /// Runs everything planned so far as one job, and waits for its end. With an empty name the job has
    /// the name that `pipeline.name` sets.
    ///
    /// On a cluster `main` runs again in each task host, up to this call, which then does not return
    /// there: see [`on_submit`](Self::on_submit) for what must be done once.
    ///
    /// The plan is empty afterwards; a program may then execute a further job.
    ///
    /// # Errors
    /// A plan that cannot run, a job that failed or was cancelled.
    pub fn execute(&self, name: &str) -> Result<JobExecutionResult> {
        self.start(name)?.wait()
    }

    /// Runs everything planned so far as one job, without waiting.
    ///
    /// If the [`JobClient`] of a job is dropped, the job continues, and the program waits for it when this
    /// environment is dropped.
    ///
    /// # Errors
    /// A plan that cannot run.
    pub fn execute_async(&self, name: &str) -> Result<JobClient> {
        self.start(name)
    }

    fn start(&self, name: &str) -> Result<JobClient> {
        let launched = &self.inner.launched;
        let ordinal = launched.next_ordinal();
        if let Some(task) = launched.task() {
            if let Some(recorded) = (ordinal < task.ordinal).then(|| launched.earlier(ordinal)) {
                self.inner.plan.take();
                return Ok(task::earlier_job(ordinal, recorded));
            }
            // What the code has set here too is in it already.
            let config = task::job_configuration(task);
            task::become_host(self.build(&config), task, &config);
        }
        let config = self.resolve(name);
        let built =
            self.build(&config).inspect_err(|error| launched.report_failure(None, error))?;
        match launched.role() {
            Role::Client => remote::hand_over(ordinal, built, &config, launched)
                .map(|submitted| JobClient::remote(submitted, Arc::clone(&self.inner.unwaited))),
            Role::Local | Role::Task => local::start(built, ordinal, &config, launched.clone())
                .map(|running| JobClient::local(running, Arc::clone(&self.inner.unwaited)))
                .inspect_err(|error| launched.report_failure(None, error)),
        }
    }
}

fn once_error(name: &str, error: &dyn std::error::Error) -> Error {
    Error::Operator {
        code: "WEIR-RUN-0006",
        message: format!("the value of env.once({name:?}) cannot be recorded: {error}"),
    }
}

#[cfg(test)]
mod tests;
