/**
 * The JSON that the page reads: YARN's of resource manager and node agent, Flink's of an app master. The
 * types are those of the daemons (`answers.ts`), here under the names that the page uses.
 *
 * An app master or a node agent may be of another release than the page. So the page shows a value that it
 * does not know as text, and a number that is missing as nothing.
 */

export type {
  AggregatedMetric,
  App as Application,
  AppAttempt as Attempt,
  BackPressure as Backpressure,
  Checkpoint,
  CheckpointConfig,
  Checkpoints,
  ClusterInfo,
  ClusterMetrics,
  ConfigEntry,
  Container,
  DashboardConfig,
  ExceptionEntry,
  FailureReport,
  IoMetrics,
  JobConfig,
  JobDetails as Job,
  JobExceptions as Exceptions,
  JobProgress,
  JobSummary,
  LogFile,
  Metric,
  Node as ClusterNode,
  NodeContainer,
  NodeInfo,
  Overview as MasterOverview,
  PendingAskInfo as PendingAsk,
  PlanInput,
  PlanNode,
  Stats,
  Subtask,
  SubtaskBackPressure as SubtaskPressure,
  TaskManager,
  VertexDetails as VertexDetail,
  VertexSummary as JobVertex,
  VertexTaskManager,
} from "./answers";

/** A number that may be unknown; the value of a metric is a text. */
export type Loose = number | string | null | undefined;
