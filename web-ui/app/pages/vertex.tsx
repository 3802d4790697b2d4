/** The panel of one vertex, below the graph: its subtasks, backpressure, watermarks and metrics. */

import { useEffect, useRef } from "preact/hooks";
import { Badge, Count, LevelChip, Share, Time } from "../parts/basics";
import { Empty, Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { Tabs } from "../parts/tabs";
import { bytes, compact, duration, exact, instant, known, NOTHING, shortContainer, time } from "../model/format";
import { plainText } from "../model/layout";
import { serverLevel } from "../model/pressure";
import { href, type JobRoute, type Pane, PANES } from "../model/route";
import { isVertexRunning } from "../model/states";
import type { Backpressure, JobVertex, Metric, Subtask, SubtaskPressure, VertexDetail, VertexTaskManager } from "../model/shapes";
import { usePoll } from "../net/poll";
import type { JobSource } from "./job";
import { MetricsPane } from "./metrics";

interface PanelProps {
  route: JobRoute;
  vertex: JobVertex;
  source: JobSource;
  close: () => void;
}

const TITLES: Record<Pane, string> = {
  subtasks: "Subtasks",
  backpressure: "Backpressure",
  watermarks: "Watermarks",
  metrics: "Metrics",
  hosts: "Task managers",
};

export function VertexPanel({ route, vertex, source, close }: PanelProps) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    panel.current?.scrollIntoView({ block: "nearest", behavior: isStill ? "auto" : "smooth" });
  }, []);
  const tabs = PANES.map((pane) => ({ title: TITLES[pane], href: href({ ...route, pane }), isCurrent: pane === route.pane }));
  return (
    <section class="panel" aria-label={`Vertex ${vertex.name}`} ref={panel}>
      <div class="panel-head">
        <h2 class="clip" title={vertex.name}>
          {plainText(vertex.name)}
        </h2>
        <Badge state={vertex.status} />
        <button type="button" class="button button-small" onClick={close} aria-keyshortcuts="Escape">
          Close
        </button>
      </div>
      <Tabs label="Views of the vertex" tabs={tabs} />
      <PaneView pane={route.pane} path={`${source.base}/vertices/${vertex.id}`} status={vertex.status} interval={source.interval} />
    </section>
  );
}

interface PaneProps {
  /** Of the vertex. */
  path: string;
  /** Of the vertex. */
  status: string;
  interval: number;
}

function PaneView({ pane, ...rest }: PaneProps & { pane: Pane }) {
  switch (pane) {
    case "subtasks":
      return <SubtasksPane {...rest} />;
    case "backpressure":
      return <BackpressurePane {...rest} />;
    case "watermarks":
      return <WatermarksPane {...rest} />;
    case "metrics":
      return <MetricsPane {...rest} />;
    case "hosts":
      return <HostsPane {...rest} />;
  }
}

interface SubtaskRow {
  subtask: Subtask;
  pressure: SubtaskPressure | undefined;
}

function SubtasksPane({ path, interval }: PaneProps) {
  const detail = usePoll<VertexDetail>(path, interval);
  const pressure = usePoll<Backpressure>(`${path}/backpressure`, interval);
  return (
    <Loaded from={detail} what="the subtasks" rows={4}>
      {(data) => (
        <Table
          caption="Subtasks"
          columns={SUBTASK_COLUMNS}
          rows={data.subtasks.map((subtask) => ({
            subtask,
            pressure: isVertexRunning(subtask.status)
              ? (pressure.data?.subtasks ?? []).find((one) => one.subtask === subtask.subtask)
              : undefined,
          }))}
          keyOf={({ subtask }) => subtask.subtask}
          empty="No subtask yet"
        />
      )}
    </Loaded>
  );
}

const SUBTASK_COLUMNS: readonly Column<SubtaskRow>[] = [
  { title: "#", isNumber: true, by: ({ subtask }) => subtask.subtask, show: ({ subtask }) => subtask.subtask },
  { title: "State", by: ({ subtask }) => subtask.status, show: ({ subtask }) => <Badge state={subtask.status} /> },
  {
    title: "Host",
    by: ({ subtask }) => subtask.endpoint ?? "",
    show: ({ subtask }) => (
      <span class="two-lines">
        <span>{subtask.endpoint ?? subtask.host ?? NOTHING}</span>
        <span class="id" title={subtask["taskmanager-id"]}>
          {shortContainer(subtask["taskmanager-id"] ?? "")}
        </span>
      </span>
    ),
  },
  { title: "Attempt", isNumber: true, by: ({ subtask }) => subtask.attempt, show: ({ subtask }) => subtask.attempt },
  {
    title: "Backpressured",
    by: ({ pressure }) => known(pressure?.ratio) ?? -1,
    show: ({ subtask, pressure }) => (
      <Share part={known(pressure?.ratio)} tone="backpressured" label={`Subtask ${subtask.subtask} backpressured`} />
    ),
  },
  {
    title: "Busy",
    by: ({ pressure }) => known(pressure?.busyRatio) ?? -1,
    show: ({ subtask, pressure }) => <Share part={known(pressure?.busyRatio)} tone="busy" label={`Subtask ${subtask.subtask} busy`} />,
  },
  {
    title: "Idle",
    by: ({ pressure }) => known(pressure?.idleRatio) ?? -1,
    show: ({ subtask, pressure }) => <Share part={known(pressure?.idleRatio)} tone="idle" label={`Subtask ${subtask.subtask} idle`} />,
  },
  {
    title: "Records in",
    isNumber: true,
    by: ({ subtask }) => subtask.metrics["read-records"],
    show: ({ subtask }) => <Count value={subtask.metrics["read-records"]} show={compact} />,
  },
  {
    title: "Records out",
    isNumber: true,
    by: ({ subtask }) => subtask.metrics["write-records"],
    show: ({ subtask }) => <Count value={subtask.metrics["write-records"]} show={compact} />,
  },
  {
    title: "Bytes out",
    isNumber: true,
    by: ({ subtask }) => subtask.metrics["write-bytes"],
    show: ({ subtask }) => bytes(subtask.metrics["write-bytes"]),
  },
  { title: "Started", by: ({ subtask }) => subtask["start-time"], show: ({ subtask }) => <Time at={subtask["start-time"]} /> },
  { title: "Duration", isNumber: true, by: ({ subtask }) => subtask.duration, show: ({ subtask }) => duration(subtask.duration) },
];

function BackpressurePane({ path, status, interval }: PaneProps) {
  const answer = usePoll<Backpressure>(`${path}/backpressure`, interval);
  return (
    <Loaded from={answer} what="the backpressure">
      {(data) =>
        !isVertexRunning(status) ? (
          <Empty title="Not measured">The vertex does not run: it is {status}.</Empty>
        ) : data.status !== "ok" ? (
          <Empty title="Not measured yet">The tasks have not reported how they spend their time.</Empty>
        ) : (
          <>
            <p class="pane-note">
              Backpressure: <LevelChip level={serverLevel(data)} />
              {data["end-timestamp"] ? (
                <span class="faint">
                  measured <Time at={data["end-timestamp"]} />
                </span>
              ) : null}
              <span class="faint">OK up to 10%, LOW up to 50%, HIGH above</span>
            </p>
            <Table
              caption="Backpressure of each subtask"
              columns={PRESSURE_COLUMNS}
              rows={data.subtasks ?? []}
              keyOf={(one) => one.subtask}
              empty="No subtask yet"
            />
          </>
        )
      }
    </Loaded>
  );
}

const PRESSURE_COLUMNS: readonly Column<SubtaskPressure>[] = [
  { title: "#", isNumber: true, by: (one) => one.subtask, show: (one) => one.subtask },
  { title: "Level", show: (one) => <LevelChip level={serverLevel(one)} /> },
  {
    title: "Backpressured",
    by: (one) => known(one.ratio) ?? -1,
    show: (one) => <Share part={known(one.ratio)} tone="backpressured" label={`Subtask ${one.subtask} backpressured`} />,
  },
  {
    title: "Busy",
    by: (one) => known(one.busyRatio) ?? -1,
    show: (one) => <Share part={known(one.busyRatio)} tone="busy" label={`Subtask ${one.subtask} busy`} />,
  },
  {
    title: "Idle",
    by: (one) => known(one.idleRatio) ?? -1,
    show: (one) => <Share part={known(one.idleRatio)} tone="idle" label={`Subtask ${one.subtask} idle`} />,
  },
];

interface WatermarkRow {
  subtask: number;
  /** As text: it may be larger than a number holds exactly. */
  value: string;
}

const NO_WATERMARK = "-9223372036854775808";
const END_WATERMARK = "9223372036854775807";

function WatermarksPane({ path, interval }: PaneProps) {
  const answer = usePoll<Metric[]>(`${path}/watermarks`, interval);
  return (
    <Loaded from={answer} what="the watermarks">
      {(data) => (
        <Table
          caption="Watermark of each subtask"
          columns={WATERMARK_COLUMNS}
          rows={emittedWatermarks(data)}
          keyOf={(row) => row.subtask}
          empty={<Empty title="No event time">No watermark has reached this vertex: no source before it works in event time.</Empty>}
        />
      )}
    </Loaded>
  );
}

/** The watermarks of the subtasks; none when no subtask has one. */
function emittedWatermarks(metrics: readonly Metric[]): WatermarkRow[] {
  const rows = watermarkRows(metrics);
  return rows.every((row) => row.value === NO_WATERMARK) ? [] : rows;
}

/** `0.currentInputWatermark` is that of subtask 0. */
export function watermarkRows(metrics: readonly Metric[]): WatermarkRow[] {
  return metrics
    .map((metric) => ({ subtask: Number.parseInt(metric.id, 10), value: metric.value ?? NO_WATERMARK }))
    .filter((row) => Number.isInteger(row.subtask))
    .sort((a, b) => a.subtask - b.subtask);
}

const WATERMARK_COLUMNS: readonly Column<WatermarkRow>[] = [
  { title: "#", isNumber: true, show: (row) => row.subtask },
  { title: "Watermark", isNumber: true, show: (row) => watermarkNumber(row.value) },
  { title: "As a time", show: (row) => watermarkTime(row.value) },
];

function watermarkNumber(value: string): string {
  return value === NO_WATERMARK || value === END_WATERMARK ? NOTHING : value;
}

function watermarkTime(value: string) {
  if (value === NO_WATERMARK) return <span class="faint">none yet</span>;
  if (value === END_WATERMARK) return <span class="faint">end of input</span>;
  return <time title={instant(value)}>{time(value)}</time>;
}

function HostsPane({ path, interval }: PaneProps) {
  const answer = usePoll<{ taskmanagers: VertexTaskManager[] }>(`${path}/taskmanagers`, interval);
  return (
    <Loaded from={answer} what="the task managers">
      {(data) => (
        <Table
          caption="Task managers"
          columns={HOST_COLUMNS}
          rows={data.taskmanagers}
          keyOf={(one) => one["taskmanager-id"]}
          empty="No task manager runs this vertex"
        />
      )}
    </Loaded>
  );
}

const HOST_COLUMNS: readonly Column<VertexTaskManager>[] = [
  { title: "Host", by: (one) => one.endpoint, show: (one) => one.endpoint },
  { title: "Container", by: (one) => one["taskmanager-id"], show: (one) => <span class="id">{one["taskmanager-id"]}</span> },
  { title: "State", show: (one) => <Badge state={one.status} /> },
  {
    title: "Subtasks",
    isNumber: true,
    show: (one) => exact(Object.values(one["status-counts"]).reduce((sum, count) => sum + count, 0)),
  },
  { title: "Records in", isNumber: true, show: (one) => <Count value={one.metrics["read-records"]} show={compact} /> },
  { title: "Records out", isNumber: true, show: (one) => <Count value={one.metrics["write-records"]} show={compact} /> },
  { title: "Bytes in", isNumber: true, show: (one) => bytes(one.metrics["read-bytes"]) },
  { title: "Bytes out", isNumber: true, show: (one) => bytes(one.metrics["write-bytes"]) },
  { title: "Duration", isNumber: true, show: (one) => duration(one.duration) },
];
