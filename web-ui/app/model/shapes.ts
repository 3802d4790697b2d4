/**
 * The JSON that the page reads: YARN's of resource manager and node agent, Flink's of an app
 * master. Only what the page shows; what it does not know it ignores. A field with `?` may be
 * missing without harm, and a number may be `"NaN"` where Flink has it so.
 */

/** A number of Flink's that may be unknown. */
export type Loose = number | string | null | undefined;

// ---- Resource manager ----

export interface ClusterInfo {
  id: number;
  startedOn: number;
  state: string;
  haState?: string;
  resourceManagerVersion?: string;
}

export interface ClusterMetrics {
  appsSubmitted: number;
  appsCompleted: number;
  appsPending: number;
  appsRunning: number;
  appsFailed: number;
  appsKilled: number;
  availableMB: number;
  allocatedMB: number;
  totalMB: number;
  availableVirtualCores: number;
  allocatedVirtualCores: number;
  totalVirtualCores: number;
  containersAllocated: number;
  containersPending: number;
  totalNodes: number;
  activeNodes: number;
  lostNodes: number;
  unhealthyNodes: number;
  decommissionedNodes?: number;
}

export interface ClusterNode {
  id: string;
  state: string;
  rack?: string;
  nodeHostName?: string;
  nodeHTTPAddress?: string;
  lastHealthUpdate?: number;
  version?: string;
  healthReport?: string;
  numContainers: number;
  usedMemoryMB: number;
  availMemoryMB: number;
  usedVirtualCores: number;
  availableVirtualCores: number;
  resourceUtilization?: { nodePhysicalMemoryMB?: number; aggregatedContainersPhysicalMemoryMB?: number };
}

export interface Application {
  id: string;
  name: string;
  user: string;
  queue: string;
  state: string;
  finalStatus: string;
  progress: number;
  diagnostics?: string;
  applicationType?: string;
  applicationTags?: string;
  priority?: number;
  startedTime: number;
  launchTime?: number;
  finishedTime: number;
  elapsedTime: number;
  allocatedMB?: number;
  allocatedVCores?: number;
  runningContainers?: number;
  memorySeconds?: number;
  vcoreSeconds?: number;
  masterNodeId?: string;
  /** Containers that it has asked for and does not have; not YARN's. */
  pendingContainers?: number;
  /** Why it does not have them. */
  pendingReason?: string;
  amHostHttpAddress?: string;
}

export interface Attempt {
  id: number;
  startTime: number;
  finishedTime?: number;
  containerId?: string;
  nodeHttpAddress?: string;
  nodeId?: string;
  appAttemptId?: string;
  state?: string;
  finalStatus?: string;
  diagnostics?: string;
}

export interface Container {
  containerId: string;
  allocatedMB: number;
  allocatedVCores: number;
  assignedNodeId?: string;
  nodeId?: string;
  priority?: number;
  startedTime: number;
  finishedTime: number;
  elapsedTime: number;
  diagnosticsInfo?: string;
  containerExitStatus?: number;
  containerState: string;
}

/** Why an ask of an application waits; an `askId` of 0 is for the app master itself. */
export interface PendingAsk {
  attempt?: string;
  askId: number;
  priority?: number;
  capability?: { memory: number; vCores: number };
  missing: number;
  reason: string;
}

// ---- Node agent ----

export interface NodeInfo {
  id: string;
  nodeHostName?: string;
  totalPmemAllocatedContainersMB?: number;
  totalVCoresAllocatedContainers?: number;
  lastNodeUpdateTime?: number;
  nmStartupTime?: number;
  healthReport?: string;
  nodeHealthy?: boolean;
  nodeManagerVersion?: string;
}

export interface NodeContainer {
  id: string;
  state: string;
  exitCode?: number;
  diagnostics?: string;
  user?: string;
  totalMemoryNeededMB?: number;
  usedMemoryMB?: number;
  totalVCoresNeeded?: number;
  nodeId?: string;
  containerLogFiles?: string[];
}

/** Sizes and times are texts, as in YARN. */
export interface LogFile {
  fileName: string;
  fileSize: string;
  lastModifiedTime: string;
}

// ---- App master ----

export interface DashboardConfig {
  "refresh-interval": number;
  "flink-version"?: string;
  features?: { "web-cancel"?: boolean };
}

export interface MasterOverview {
  taskmanagers: number;
  "slots-total": number;
  "slots-available": number;
  "jobs-running": number;
  "jobs-finished": number;
  "jobs-cancelled": number;
  "jobs-failed": number;
}

export interface JobSummary {
  jid: string;
  name: string;
  state: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  tasks: Record<string, number>;
}

export interface IoMetrics {
  "read-bytes": number;
  "write-bytes": number;
  "read-records": number;
  "write-records": number;
  "accumulated-backpressured-time"?: Loose;
  "accumulated-idle-time"?: Loose;
  "accumulated-busy-time"?: Loose;
}

export interface JobVertex {
  id: string;
  name: string;
  parallelism: number;
  maxParallelism?: number;
  status: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  tasks: Record<string, number>;
  metrics: IoMetrics;
}

export interface PlanInput {
  num: number;
  id: string;
  ship_strategy?: string;
  exchange?: string;
}

export interface PlanNode {
  id: string;
  parallelism: number;
  operator?: string;
  description?: string;
  inputs?: PlanInput[];
}

export interface Job {
  jid: string;
  name: string;
  state: string;
  "job-type"?: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  maxParallelism?: number;
  now: number;
  timestamps: Record<string, number>;
  vertices: JobVertex[];
  "status-counts": Record<string, number>;
  plan: { nodes: PlanNode[] };
}

/** A failure: what a job ended with, or was restarted by. */
export interface FailureReport {
  code: string;
  message: string;
  operator?: string;
  task?: string;
  host?: string;
  container?: string;
  "consequence-count"?: number;
}

/** How a job gets on: Weir's own. */
export interface JobProgress {
  state: string;
  /** The attempt of the app master, which counts restarts; 0 or missing if it does not say it. */
  "app-master-attempt"?: number;
  restarts: number;
  /** The wait before the latest restart, in milliseconds. */
  "restart-delay-ms"?: number;
  failure?: FailureReport;
  /** What it waits for before its tasks can be deployed. */
  waiting?: string;
}

export interface AggregatedMetric {
  id: string;
  min?: Loose;
  max?: Loose;
  avg?: Loose;
  sum?: Loose;
}

export interface Metric {
  id: string;
  value?: string;
}

export interface Subtask {
  subtask: number;
  status: string;
  attempt: number;
  endpoint?: string;
  host?: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  metrics: IoMetrics;
  "taskmanager-id"?: string;
}

export interface VertexDetail {
  id: string;
  name: string;
  parallelism: number;
  maxParallelism?: number;
  now: number;
  subtasks: Subtask[];
}

export interface SubtaskPressure {
  subtask: number;
  "attempt-number"?: number;
  "backpressure-level"?: string;
  backpressureLevel?: string;
  ratio: Loose;
  idleRatio: Loose;
  busyRatio: Loose;
}

export interface Backpressure {
  status: string;
  "backpressure-level"?: string | null;
  backpressureLevel?: string | null;
  "end-timestamp"?: number | null;
  subtasks?: SubtaskPressure[] | null;
}

export interface VertexTaskManager {
  endpoint: string;
  "taskmanager-id": string;
  status: string;
  "start-time": number;
  duration: number;
  metrics: IoMetrics;
  "status-counts": Record<string, number>;
}

export interface Stats {
  min: number;
  max: number;
  avg: number;
  p50?: Loose;
  p90?: Loose;
  p95?: Loose;
  p99?: Loose;
  p999?: Loose;
}

export interface Checkpoint {
  id: number;
  status: string;
  is_savepoint: boolean;
  trigger_timestamp: number;
  latest_ack_timestamp: number;
  checkpointed_size: number;
  state_size: number;
  end_to_end_duration: number;
  num_subtasks: number;
  num_acknowledged_subtasks: number;
  checkpoint_type?: string;
  external_path?: string;
  failure_timestamp?: number;
  failure_message?: string;
}

export interface CheckpointConfig {
  mode: string;
  interval: number;
  timeout: number;
  min_pause: number;
  max_concurrent: number;
  externalization: { enabled: boolean; delete_on_cancellation: boolean };
  state_backend: string;
  checkpoint_storage: string;
  tolerable_failed_checkpoints: number;
}

export interface Checkpoints {
  counts: { restored: number; total: number; in_progress: number; completed: number; failed: number };
  summary: { checkpointed_size: Stats; state_size: Stats; end_to_end_duration: Stats };
  latest: {
    completed?: Checkpoint | null;
    savepoint?: Checkpoint | null;
    failed?: Checkpoint | null;
    restored?: { id: number; restore_timestamp: number; is_savepoint: boolean; external_path?: string } | null;
  };
  history: Checkpoint[];
}

/** A failure: `exceptionName` is its code, `stacktrace` all that is known: message, operator, end of the log. */
export interface ExceptionEntry {
  exceptionName: string;
  stacktrace: string;
  timestamp: number;
  /** `Map (1/2)` */
  taskName?: string | null;
  endpoint?: string | null;
  /** The container. */
  taskManagerId?: string | null;
  /** What followed from it, the first of them. */
  concurrentExceptions?: ExceptionEntry[];
  /** How many followed from it. */
  "weir-concurrent-exception-count"?: number;
}

export interface Exceptions {
  exceptionHistory: { entries: ExceptionEntry[]; truncated: boolean };
}

export interface TaskManager {
  id: string;
  path: string;
  dataPort: number;
  timeSinceLastHeartbeat: number;
  slotsNumber: number;
  freeSlots: number;
  assignedTasks?: number;
  hardware?: { cpuCores?: number; physicalMemory?: number; freeMemory?: number; managedMemory?: number };
  memoryConfiguration?: Record<string, number | null>;
}

export interface JobConfig {
  name: string;
  "execution-config"?: {
    "restart-strategy"?: string;
    "job-parallelism"?: number;
    "object-reuse-mode"?: boolean;
    "user-config"?: Record<string, string>;
    "execution-mode"?: string;
  };
  "weir-configuration"?: ConfigEntry[];
}

/** A key with the value that holds, and the place that set it. */
export interface ConfigEntry {
  key: string;
  value: string;
  source: string;
}
