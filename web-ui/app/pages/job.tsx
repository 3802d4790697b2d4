/** One job: its head, which every tab has, and the tab with the graph. */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Badge, Count, Id, LevelChip, Share, Time } from "../parts/basics";
import { DangerAction } from "../parts/dialog";
import { focusVertex, Graph } from "../parts/graph";
import { Heading } from "../parts/heading";
import { Empty, Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { Tabs } from "../parts/tabs";
import { PAGE_SUBTASK_METRICS } from "../model/answers";
import { bytes, compact, duration, exact, rate } from "../model/format";
import { plainText } from "../model/layout";
import { currentLoad, type Load, loadOf, levelOf, UNKNOWN_LOAD } from "../model/pressure";
import { href, type JobRoute, type JobTab } from "../model/route";
import type { AggregatedMetric, DashboardConfig, Job, JobProgress, JobVertex } from "../model/shapes";
import { isJobEnded } from "../model/states";
import { applicationOf, clusterHref, masterBase, type Place, usePlace } from "../net/place";
import { DEFAULT_INTERVAL_MS, usePoll, usePolls } from "../net/poll";
import { CheckpointsTab } from "./checkpoints";
import { ConfigurationTab } from "./configuration";
import { ExceptionsTab } from "./exceptions";
import { SubtaskCounts } from "./jobs";
import { JobNotices } from "./jobnotices";
import { TaskManagersTab } from "./taskmanagers";
import { VertexPanel } from "./vertex";

/** What the parts of the page need to ask for more. */
export interface JobSource {
  /** The app master's REST interface. */
  master: string;
  /** The job below it. */
  base: string;
  /** How often to ask; 0 when nothing changes any more. */
  interval: number;
  application: string | null;
}

const SHORTEST_INTERVAL_MS = 250;

export function JobPage({ route }: { route: JobRoute }) {
  const place = usePlace();
  const master = masterBase(route.application);
  const base = `${master}jobs/${encodeURIComponent(route.job)}`;
  const config = usePoll<DashboardConfig>(`${master}config`, 0);
  const told = config.data?.["refresh-interval"] ?? DEFAULT_INTERVAL_MS;
  const interval = Math.max(SHORTEST_INTERVAL_MS, told > 0 ? told : DEFAULT_INTERVAL_MS);
  const [isEnded, setEnded] = useState(false);
  const answer = usePoll<Job>(base, isEnded ? 0 : interval);
  const progress = usePoll<JobProgress>(`${base}/progress`, isEnded ? 0 : interval);
  const job = answer.data;
  useEffect(() => setEnded(isJobEnded(job?.state)), [job?.state]);
  const source: JobSource = {
    master,
    base,
    interval: isEnded ? 0 : interval,
    application: applicationOf(place, route.application),
  };
  return (
    <>
      <Heading
        title={job?.name ?? "Job"}
        trail={trailOf(place, route.application)}
        state={job?.state}
        badge={job === undefined ? null : <Badge state={job.state} />}
        actions={job === undefined ? null : <Cancel job={job} base={base} />}
      />
      <Loaded from={answer} what="the job" rows={6} missing={<NoDetails application={route.application} />}>
        {(data) => (
          <>
            <JobHead job={data} progress={progress.data} />
            <JobNotices job={data} progress={progress.data} exceptions={href({ ...route, tab: "exceptions", vertex: null })} />
            <Tabs label="Views of the job" tabs={tabsOf(route)} />
            <Tab route={route} job={data} source={source} />
          </>
        )}
      </Loaded>
    </>
  );
}

/** The app master stores the details of a job when the job ends; one that failed before has stored none. */
function NoDetails({ application }: { application: string | null }) {
  if (application === null) return <Empty title="No such job">This app master has no job with this id.</Empty>;
  return (
    <Empty title="No details of this job">
      The address is wrong, or the app master failed before it could store the details of the job.{" "}
      <a href={href({ page: "application", application })}>Its application</a> shows how it ended.
    </Empty>
  );
}

function trailOf(place: Place, application: string | null): { title: string; href: string }[] {
  const id = applicationOf(place, application);
  const up = id === null ? null : clusterHref(place, { page: "application", application: id });
  if (id !== null && up !== null) return [{ title: id, href: up }];
  return [{ title: "Jobs", href: href({ page: "jobs" }) }];
}

function Cancel({ job, base }: { job: Job; base: string }) {
  if (isJobEnded(job.state)) return null;
  const isEnding = job.state === "CANCELLING" || job.state === "FAILING";
  return (
    <DangerAction
      name="Cancel job"
      disabledName={job.state === "CANCELLING" ? "Cancelling…" : "Failing…"}
      isDisabled={isEnding}
      question={`Cancel ${job.name}?`}
      call={{ method: "PATCH", path: `${base}?mode=cancel`, body: {} }}
      affects={base}
    >
      Its tasks are told to stop. Tasks that still run after <code>task.cancellation.timeout</code> are ended. Then the
      containers are given back. Output that no checkpoint has committed is not published.
    </DangerAction>
  );
}

/** Times of states in the order in which they were entered. */
export function history(timestamps: Record<string, number>): [string, number][] {
  return Object.entries(timestamps)
    .filter(([, at]) => at > 0)
    .sort(([, a], [, b]) => a - b);
}

/** Subtasks of all vertices by state. */
export function subtaskCounts(vertices: readonly JobVertex[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const vertex of vertices) {
    for (const [state, count] of Object.entries(vertex.tasks)) counts[state] = (counts[state] ?? 0) + count;
  }
  return counts;
}

function JobHead({ job, progress }: { job: Job; progress: JobProgress | undefined }) {
  const times = history(job.timestamps);
  const counter = progress?.["app-master-attempt"] ?? 0;
  return (
    <dl class="facts facts-line">
      <div>
        <dt>Id</dt>
        <dd>
          <Id>{job.jid}</Id>
        </dd>
      </div>
      <div>
        <dt>Submitted</dt>
        <dd>
          <Time at={job["start-time"]} />
        </dd>
      </div>
      {isJobEnded(job.state) ? (
        <div>
          <dt>Ended</dt>
          <dd>
            <Time at={job["end-time"]} />
          </dd>
        </div>
      ) : null}
      <div>
        <dt>Duration</dt>
        <dd class="steady">{duration(job.duration)}</dd>
      </div>
      <div>
        <dt>Restarts</dt>
        <dd>
          {exact(progress?.restarts)}
          {counter > 1 ? <span class="faint"> under app master {counter}</span> : null}
        </dd>
      </div>
      <div>
        <dt>Subtasks</dt>
        <dd>
          <SubtaskCounts tasks={subtaskCounts(job.vertices)} />
        </dd>
      </div>
      <div class="wide">
        <dt>States, last entered</dt>
        <dd class="state-times">
          {times.map(([state, at]) => (
            <span key={state}>
              {state} <Time at={at} />
            </span>
          ))}
        </dd>
      </div>
    </dl>
  );
}

const TAB_TITLES: Record<JobTab, string> = {
  overview: "Overview",
  checkpoints: "Checkpoints",
  exceptions: "Exceptions",
  taskmanagers: "Task managers",
  configuration: "Configuration",
};

function tabsOf(route: JobRoute) {
  return (Object.keys(TAB_TITLES) as JobTab[]).map((tab) => ({
    title: TAB_TITLES[tab],
    href: href({ ...route, tab, vertex: null }),
    isCurrent: tab === route.tab,
  }));
}

function Tab({ route, job, source }: { route: JobRoute; job: Job; source: JobSource }) {
  switch (route.tab) {
    case "overview":
      return <JobOverview route={route} job={job} source={source} />;
    case "checkpoints":
      return <CheckpointsTab source={source} />;
    case "exceptions":
      return <ExceptionsTab source={source} />;
    case "taskmanagers":
      return <TaskManagersTab source={source} />;
    case "configuration":
      return <ConfigurationTab source={source} />;
  }
}

function JobOverview({ route, job, source }: { route: JobRoute; job: Job; source: JobSource }) {
  const box = useRef<HTMLDivElement>(null);
  const loads = useLoads(job, source);
  const selected = job.vertices.find((vertex) => vertex.id === route.vertex);
  const select = useCallback((vertex: string | null) => {
    location.hash = href({ ...route, vertex });
  }, [route.job, route.application, route.pane]);
  const close = useCallback(() => {
    select(null);
    if (route.vertex !== null) focusVertex(box.current, route.vertex);
  }, [select, route.vertex]);
  useEscape(route.vertex === null ? null : close);
  if (job.plan.nodes.length === 0) return <Empty title="No plan yet">The job graph shows up once the job is set up.</Empty>;
  return (
    <div ref={box}>
      <Graph
        plan={job.plan.nodes}
        vertices={job.vertices}
        loads={loads}
        selected={route.vertex}
        select={(vertex) => select(vertex === route.vertex ? null : vertex)}
      />
      {selected === undefined ? (
        <VertexTable route={route} job={job} loads={loads} />
      ) : (
        <VertexPanel key={selected.id} route={route} vertex={selected} source={source} close={close} />
      )}
    </div>
  );
}

/** Esc does what it says unless a dialog or a field has it. */
function useEscape(action: (() => void) | null): void {
  useEffect(() => {
    if (action === null) return;
    const onKeyDown = (event: KeyboardEvent) => {
      const isTaken = event.target instanceof HTMLInputElement || document.querySelector("dialog[open]") !== null;
      if (event.key === "Escape" && !isTaken) action();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [action]);
}

/** The load of each vertex. */
function useLoads(job: Job, source: JobSource): Map<string, Load> {
  const paths = job.vertices.map((vertex) => `${source.base}/vertices/${vertex.id}/subtasks/metrics?get=${PAGE_SUBTASK_METRICS}`);
  const answers = usePolls<AggregatedMetric[]>(paths, source.interval);
  return new Map(job.vertices.map((vertex, index) => [vertex.id, currentLoad(vertex.status, loadOf(answers[index]?.data))]));
}

interface VertexRow {
  vertex: JobVertex;
  load: Load;
}

function VertexTable({ route, job, loads }: { route: JobRoute; job: Job; loads: Map<string, Load> }) {
  const rows = job.vertices.map((vertex) => ({ vertex, load: loads.get(vertex.id) ?? UNKNOWN_LOAD }));
  const columns = useMemo(() => vertexColumns(route), [route.job, route.application]);
  return <Table caption="Vertices" columns={columns} rows={rows} keyOf={(row) => row.vertex.id} empty="No vertex" />;
}

function vertexColumns(route: JobRoute): readonly Column<VertexRow>[] {
  return [
    {
      title: "Vertex",
      by: ({ vertex }) => vertex.name,
      show: ({ vertex }) => (
        <a class="clip" href={href({ ...route, vertex: vertex.id })} title={vertex.name} data-quiet>
          {plainText(vertex.name)}
        </a>
      ),
    },
    { title: "State", by: ({ vertex }) => vertex.status, show: ({ vertex }) => <Badge state={vertex.status} /> },
    { title: "Parallelism", isNumber: true, by: ({ vertex }) => vertex.parallelism, show: ({ vertex }) => vertex.parallelism },
    {
      title: "Backpressure",
      by: ({ load }) => load.backpressured ?? -1,
      show: ({ vertex, load }) => (
        <span class="with-level">
          <Share part={load.backpressured} tone="backpressured" label={`Backpressure of ${vertex.name}`} />
          <LevelChip level={load.backpressured === null ? null : levelOf(load.backpressured)} />
        </span>
      ),
    },
    {
      title: "Busy",
      by: ({ load }) => load.busy ?? -1,
      show: ({ vertex, load }) => <Share part={load.busy} tone="busy" label={`How busy ${vertex.name} is`} />,
    },
    {
      title: "Records in",
      isNumber: true,
      by: ({ vertex }) => vertex.metrics["read-records"],
      show: ({ vertex }) => <Count value={vertex.metrics["read-records"]} show={compact} />,
    },
    { title: "In/s", isNumber: true, by: ({ load }) => load.inPerSecond ?? -1, show: ({ load }) => rate(load.inPerSecond) },
    {
      title: "Records out",
      isNumber: true,
      by: ({ vertex }) => vertex.metrics["write-records"],
      show: ({ vertex }) => <Count value={vertex.metrics["write-records"]} show={compact} />,
    },
    { title: "Out/s", isNumber: true, by: ({ load }) => load.outPerSecond ?? -1, show: ({ load }) => rate(load.outPerSecond) },
    {
      title: "Bytes out",
      isNumber: true,
      by: ({ vertex }) => vertex.metrics["write-bytes"],
      show: ({ vertex }) => bytes(vertex.metrics["write-bytes"]),
    },
    { title: "Duration", isNumber: true, by: ({ vertex }) => vertex.duration, show: ({ vertex }) => duration(vertex.duration) },
  ];
}
