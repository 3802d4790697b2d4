// Generated from the types of protocol/src/rest. After a change of these types, write this file again:
// WEIR_BLESS=1 cargo test -p weir-protocol --lib typescript

export const PAGE_SUBTASK_METRICS =
  "backPressuredTimeMsPerSecond,busyTimeMsPerSecond,idleTimeMsPerSecond,numRecordsInPerSecond,numRecordsOutPerSecond";

export type Aggregated = {
  metrics: { [key in string]: Statistics },
  "status-duration": { [key in ExecutionState]?: Statistics },
};

export type AggregatedMetric = {
  id: string,
  min?: number | null,
  max?: number | null,
  avg?: number | null, sum?: number | null,
  skew?: number | null,
};

export type App = { id: string,
  user: string, name: string, queue: string,
  state: ApplicationState,
  finalStatus: FinalStatus,
  progress: number,
  trackingUI: string,
  trackingUrl: string,
  diagnostics: string,
  clusterId: number,
  applicationType: string,
  applicationTags: string,
  priority: number,
  startedTime: number,
  launchTime: number,
  finishedTime: number,
  elapsedTime: number,
  amContainerLogs: string,
  amHostHttpAddress: string,
  amRPCAddress: string,
  masterNodeId: string,
  allocatedMB: number,
  allocatedVCores: number,
  reservedMB: number,
  reservedVCores: number,
  runningContainers: number,
  memorySeconds: number,
  vcoreSeconds: number,
  queueUsagePercentage: number,
  clusterUsagePercentage: number,
  resourceSecondsMap: EntryList,
  preemptedResourceMB: number,
  preemptedResourceVCores: number,
  numNonAMContainerPreempted: number,
  numAMContainerPreempted: number,
  preemptedMemorySeconds: number,
  preemptedVcoreSeconds: number,
  preemptedResourceSecondsMap: EntryList,
  resourceRequests: Array<ResourceRequestInfo>,
  pendingContainers: number,
  pendingReason: string,
  logAggregationStatus: string,
  unmanagedApplication: boolean,
  appNodeLabelExpression: string,
  amNodeLabelExpression: string,
  resourceInfo: UsageInfo,
  timeouts: AppTimeouts,
  currentAttempt: number,
};

export type AppAttempt = { id: number, appAttemptId: string,
  startTime: number,
  finishedTime: number,
  containerId: string,
  nodeHttpAddress: string,
  nodeId: string,
  logsLink: string,
  blacklistedNodes: string,
  nodesBlacklistedBySystem: string,
  state: string,
  finalStatus: FinalStatus,
  diagnostics: string,
};

export type AppTimeout = {
  type: string,
  expiryTime: string,
  remainingTimeInSeconds: number,
};

export type AppTimeouts = {
  timeout: Array<AppTimeout>,
};

export type ApplicationState = "NEW" | "NEW_SAVING" | "SUBMITTED" | "ACCEPTED" | "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

export type BackPressure = {
  status: BackPressureStatus,
  backpressureLevel: BackpressureLevel | null,
  "backpressure-level": BackpressureLevel | null,
  "end-timestamp": number | null,
  subtasks: Array<SubtaskBackPressure> | null,
};

export type BackPressureStatus = "ok" | "deprecated";

export type BackpressureLevel = "ok" | "low" | "high";

export type Checkpoint = {
  className: string, id: number,
  status: CheckpointStatus,
  is_savepoint: boolean,
  savepointFormat: string | null,
  trigger_timestamp: number,
  latest_ack_timestamp: number,
  checkpointed_size: number,
  state_size: number,
  end_to_end_duration: number,
  alignment_buffered: number,
  processed_data: number,
  persisted_data: number,
  num_subtasks: number,
  num_acknowledged_subtasks: number,
  checkpoint_type: string,
  tasks: { [key in string]: number },
  external_path?: string | null,
  discarded?: boolean | null,
  failure_timestamp?: number | null,
  failure_message?: string | null,
};

export type CheckpointConfig = {
  mode: string,
  interval: number,
  timeout: number,
  min_pause: number,
  max_concurrent: number,
  externalization: Externalization,
  state_backend: string,
  checkpoint_storage: string,
  unaligned_checkpoints: boolean,
  tolerable_failed_checkpoints: number,
  aligned_checkpoint_timeout: number,
  checkpoints_after_tasks_finish: boolean,
  state_changelog_enabled: boolean,
  changelog_periodic_materialization_interval: number,
  changelog_storage: string,
};

export type CheckpointCounts = {
  restored: number, total: number,
  in_progress: number, completed: number, failed: number,
};

export type CheckpointStatus = "IN_PROGRESS" | "COMPLETED" | "FAILED";

export type CheckpointSummary = {
  checkpointed_size: Stats,
  state_size: Stats,
  end_to_end_duration: Stats,
  alignment_buffered: Stats,
  processed_data: Stats,
  persisted_data: Stats,
};

export type Checkpoints = {
  counts: CheckpointCounts,
  summary: CheckpointSummary,
  latest: LatestCheckpoints,
  history: Array<Checkpoint>,
};

export type ClusterInfo = {
  id: number,
  startedOn: number,
  state: string,
  haState: string,
  rmStateStoreName: string,
  resourceManagerVersion: string,
  resourceManagerBuildVersion: string,
  resourceManagerVersionBuiltOn: string,
  hadoopVersion: string,
  hadoopBuildVersion: string,
  hadoopVersionBuiltOn: string,
  haZooKeeperConnectionState: string,
  weirVersion: string,
  weirEpoch: number,
  weirStorageDir: string,
};

export type ClusterMetrics = {
  appsSubmitted: number,
  appsCompleted: number,
  appsPending: number,
  appsRunning: number,
  appsFailed: number,
  appsKilled: number,
  reservedMB: number,
  availableMB: number,
  allocatedMB: number,
  reservedVirtualCores: number,
  availableVirtualCores: number,
  allocatedVirtualCores: number,
  containersAllocated: number,
  containersReserved: number,
  containersPending: number,
  totalMB: number,
  totalVirtualCores: number,
  totalNodes: number,
  lostNodes: number,
  unhealthyNodes: number,
  decommissioningNodes: number,
  decommissionedNodes: number,
  rebootedNodes: number,
  activeNodes: number,
  shutdownNodes: number,
  totalUsedResourcesAcrossPartition: Resource,
  totalClusterResourcesAcrossPartition: Resource,
};

export type ConfigEntry = { key: string, value: string,
  source: string,
};

export type Container = { containerId: string,
  allocatedMB: number,
  allocatedVCores: number,
  assignedNodeId: string,
  priority: number,
  startedTime: number,
  finishedTime: number,
  elapsedTime: number,
  diagnosticsInfo: string,
  logUrl: string,
  containerExitStatus: number,
  containerState: string,
  nodeHttpAddress: string,
  nodeId: string,
  allocatedResources: Array<Entry>,
};

export type DashboardConfig = {
  "refresh-interval": number,
  "timezone-name": string,
  "timezone-offset": number,
  "flink-version": string,
  "flink-revision": string,
  features: Features,
};

export type Entry = { key: string, value: string, };

export type EntryList = { entry: Array<Entry>, };

export type ExceptionEntry = {
  exceptionName: string,
  stacktrace: string,
  timestamp: number,
  failureLabels: { [key in string]: string },
  taskName?: string | null,
  endpoint?: string | null,
  location?: string | null,
  taskManagerId?: string | null,
  concurrentExceptions: Array<ExceptionEntry>,
  "weir-concurrent-exception-count"?: number,
};

export type ExceptionHistory = {
  entries: Array<ExceptionEntry>,
  truncated: boolean,
};

export type ExecutionConfig = {
  "execution-mode": string,
  "restart-strategy": string,
  "job-parallelism": number,
  "object-reuse-mode": boolean,
  "user-config": { [key in string]: string },
};

export type ExecutionState = "CREATED" | "SCHEDULED" | "DEPLOYING" | "RUNNING" | "FINISHED" | "CANCELING" | "CANCELED" | "FAILED" | "RECONCILING" | "INITIALIZING";

export type Externalization = {
  enabled: boolean,
  delete_on_cancellation: boolean,
};

export type FailureReport = {
  code: string, message: string, operator?: string | null,
  task?: string | null,
  host?: string | null, container?: string | null,
  "log-excerpt"?: string | null,
  "consequence-count": number,
};

export type Features = {
  "web-submit": boolean,
  "web-cancel": boolean,
  "web-rescale": boolean,
  "web-history": boolean,
};

export type FinalStatus = "SUCCEEDED" | "FAILED" | "KILLED" | "UNDEFINED";

export type Hardware = {
  cpuCores: number,
  physicalMemory: number,
  freeMemory: number,
  managedMemory: number,
};

export type IoMetrics = {
  "read-bytes": number,
  "read-bytes-complete": boolean,
  "write-bytes": number,
  "write-bytes-complete": boolean,
  "read-records": number,
  "read-records-complete": boolean,
  "write-records": number,
  "write-records-complete": boolean,
  "accumulated-backpressured-time": number,
  "accumulated-idle-time": number,
  "accumulated-busy-time": number,
};

export type JobConfig = {
  jid: string, name: string,
  "execution-config": ExecutionConfig,
  "weir-configuration": Array<ConfigEntry>,
};

export type JobDetails = {
  jid: string, name: string,
  isStoppable: boolean, state: JobStatus,
  "job-type": string,
  "start-time": number,
  "end-time": number,
  duration: number,
  maxParallelism: number,
  now: number,
  timestamps: { [key in JobStatus]?: number },
  vertices: Array<VertexSummary>,
  "status-counts": { [key in ExecutionState]?: number }, plan: Plan,
  "stream-graph": StreamGraphAnswer,
  "pending-operators": number,
};

export type JobExceptions = {
  "root-exception": string | null,
  timestamp: number | null,
  "all-exceptions": Array<LegacyException>,
  truncated: boolean,
  exceptionHistory: ExceptionHistory,
};

export type JobProgress = {
  version: number,
  state: JobStatus,
  "app-master-attempt": number,
  restarts: number,
  "restart-delay-ms": number,
  failure?: FailureReport | null,
  waiting?: string | null,
  operators: Array<OperatorProgress>,
};

export type JobStatus = "INITIALIZING" | "CREATED" | "RUNNING" | "FAILING" | "FAILED" | "CANCELLING" | "CANCELED" | "FINISHED" | "RESTARTING" | "SUSPENDED" | "RECONCILING";

export type JobSummary = {
  jid: string, name: string,
  "start-time": number,
  "end-time": number,
  duration: number, state: JobStatus,
  "last-modification": number,
  tasks: TaskCounts,
  "pending-operators": number,
  jobType: string,
};

export type JobsOverview = { jobs: Array<JobSummary>, };

export type LatestCheckpoints = { completed: Checkpoint | null,
  savepoint: Checkpoint | null, failed: Checkpoint | null,
  restored: RestoredCheckpoint | null,
};

export type LegacyException = {
  exception: string,
  task?: string | null,
  location?: string | null,
  endpoint?: string | null,
  timestamp: number,
  taskManagerId?: string | null,
};

export type LogFile = {
  fileName: string,
  fileSize: string,
  lastModifiedTime: string,
};

export type MemoryConfiguration = { frameworkHeap: number, frameworkOffHeap: number, taskOffHeap: number, networkMemory: number, managedMemory: number, jvmMetaspace: number, jvmOverhead: number,
  taskHeap: number,
  totalFlinkMemory: number,
  totalProcessMemory: number,
};

export type Metric = {
  id: string,
  value?: string | null,
};

export type Node = { rack: string,
  state: NodeState,
  id: string, nodeHostName: string,
  nodeHTTPAddress: string,
  lastHealthUpdate: number,
  version: string,
  healthReport: string,
  numContainers: number,
  usedMemoryMB: number,
  availMemoryMB: number,
  usedVirtualCores: number,
  availableVirtualCores: number,
  numRunningOpportContainers: number,
  usedMemoryOpportGB: number,
  usedVirtualCoresOpport: number,
  numQueuedContainers: number, nodeLabels: Array<string>,
  resourceUtilization: Utilization,
  usedResource: Resource,
  availableResource: Resource,
};

export type NodeContainer = { id: string,
  state: string,
  exitCode: number,
  diagnostics: string,
  user: string,
  totalMemoryNeededMB: number,
  totalVCoresNeeded: number,
  executionType: string,
  containerLogsLink: string,
  nodeId: string, containerLogFiles: Array<string>,
  usedMemoryMB: number,
};

export type NodeInfo = { id: string, nodeHostName: string,
  totalPmemAllocatedContainersMB: number,
  totalVmemAllocatedContainersMB: number,
  totalVCoresAllocatedContainers: number,
  vmemCheckEnabled: boolean,
  pmemCheckEnabled: boolean,
  lastNodeUpdateTime: number,
  nmStartupTime: number,
  healthReport: string,
  nodeHealthy: boolean,
  resourceTypes: string,
  nodeManagerVersion: string,
  nodeManagerBuildVersion: string,
  nodeManagerVersionBuiltOn: string,
  hadoopVersion: string,
  hadoopBuildVersion: string,
  hadoopVersionBuiltOn: string,
  weirVersion: string,
};

export type NodeState = "NEW" | "RUNNING" | "UNHEALTHY" | "DECOMMISSIONING" | "DECOMMISSIONED" | "LOST" | "REBOOTED" | "SHUTDOWN";

export type OperatorProgress = {
  name: string,
  parallelism: number,
  "records-in": number,
  "records-out": number,
  "rate-per-s": number,
  "backpressure-ratio": number,
  "backpressure-level": BackpressureLevel,
};

export type Overview = { taskmanagers: number, "slots-total": number, "slots-available": number, "jobs-running": number, "jobs-finished": number, "jobs-cancelled": number, "jobs-failed": number,
  "flink-version": string,
  "flink-commit": string,
};

export type PartitionUsage = { partitionName: string,
  used: Resource,
  reserved: Resource,
  pending: Resource,
  amUsed: Resource,
};

export type PendingAskInfo = { attempt: string,
  askId: number | null,
  priority: number,
  capability: Resource,
  missing: number,
  reason: string,
};

export type Plan = {
  jid: string, name: string,
  type: string,
  nodes: Array<PlanNode>,
};

export type PlanInput = {
  num: number,
  id: string,
  ship_strategy: string,
  exchange: string,
};

export type PlanNode = {
  id: string,
  parallelism: number,
  operator: string,
  operator_strategy: string,
  description: string,
  optimizer_properties: { [key in string]: string },
  inputs?: Array<PlanInput>,
};

export type Resource = {
  memory: number,
  vCores: number,
};

export type ResourceProfile = {
  cpuCores: number,
  taskHeapMemory: number,
  taskOffHeapMemory: number,
  managedMemory: number,
  networkMemory: number,
  extendedResources: { [key in string]: string },
};

export type ResourceRequestInfo = {
  priority: number,
  resourceName: string,
  capability: Resource, numContainers: number,
  relaxLocality: boolean,
  nodeLabelExpression: string,
  allocationRequestId: number,
};

export type RestoredCheckpoint = { id: number,
  restore_timestamp: number,
  is_savepoint: boolean,
  external_path?: string | null,
};

export type Statistics = { min: number, max: number, avg: number, sum: number, median: number, p25: number, p75: number, p95: number, };

export type Stats = { min: number, max: number, avg: number, p50: number, p90: number, p95: number, p99: number, p999: number, };

export type StreamGraphAnswer = {
  nodes: Array<StreamGraphNode>,
};

export type StreamGraphInput = {
  num: number,
  id: string,
  ship_strategy: string,
  exchange: string,
};

export type StreamGraphNode = {
  id: string,
  parallelism: number, operator: string,
  description: string,
  job_vertex_id: string | null,
  inputs: Array<StreamGraphInput>,
};

export type Subtask = {
  subtask: number,
  status: ExecutionState,
  attempt: number,
  endpoint: string,
  host: string,
  "start-time": number,
  "end-time": number,
  duration: number, metrics: IoMetrics,
  "taskmanager-id": string,
  "status-duration": { [key in ExecutionState]?: number },
  "other-concurrent-attempts": Array<Subtask>,
  start_time: number,
};

export type SubtaskBackPressure = {
  subtask: number,
  "attempt-number": number,
  backpressureLevel: BackpressureLevel,
  "backpressure-level": BackpressureLevel,
  ratio: number,
  idleRatio: number,
  busyRatio: number,
};

export type TaskCounts = { total: number, created: number, scheduled: number, deploying: number, running: number, finished: number, canceling: number, canceled: number, failed: number, reconciling: number, initializing: number, };

export type TaskManager = {
  id: string,
  path: string,
  dataPort: number,
  jmxPort: number,
  timeSinceLastHeartbeat: number, slotsNumber: number,
  freeSlots: number,
  assignedTasks: number,
  totalResource: ResourceProfile,
  freeResource: ResourceProfile,
  hardware: Hardware,
  memoryConfiguration: MemoryConfiguration,
};

export type TaskManagers = {
  taskmanagers: Array<TaskManager>,
};

export type UsageInfo = { resourceUsagesByPartition: Array<PartitionUsage>, };

export type Utilization = {
  nodePhysicalMemoryMB: number,
  aggregatedContainersPhysicalMemoryMB: number,
};

export type VertexDetails = {
  id: string, name: string,
  parallelism: number,
  maxParallelism: number,
  now: number,
  subtasks: Array<Subtask>,
  aggregated: Aggregated,
};

export type VertexSummary = {
  id: string,
  slotSharingGroupId: string, name: string,
  maxParallelism: number,
  parallelism: number,
  status: ExecutionState,
  "start-time": number,
  "end-time": number,
  duration: number,
  tasks: { [key in ExecutionState]?: number },
  metrics: IoMetrics,
};

export type VertexTaskManager = {
  endpoint: string,
  "taskmanager-id": string,
  status: ExecutionState,
  "start-time": number,
  "end-time": number,
  duration: number,
  metrics: IoMetrics,
  "status-counts": { [key in ExecutionState]?: number },
  aggregated: Aggregated,
};

export type VertexTaskManagers = {
  id: string, name: string,
  now: number,
  taskmanagers: Array<VertexTaskManager>,
};
