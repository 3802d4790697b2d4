/** The task managers of a job: where they are, what they have, and their logs. */

import { Time, Usage } from "../parts/basics";
import { Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { bytes, exact } from "../model/format";
import type { TaskManager } from "../model/shapes";
import { clusterHref, type Place, usePlace } from "../net/place";
import { usePoll } from "../net/poll";
import { useNodesOfContainers } from "./exceptions";
import type { JobSource } from "./job";

export function TaskManagersTab({ source }: { source: JobSource }) {
  const place = usePlace();
  const answer = usePoll<{ taskmanagers: TaskManager[] }>(`${source.master}taskmanagers`, source.interval);
  const nodes = useNodesOfContainers(source);
  return (
    <Loaded from={answer} what="the task managers">
      {(data) => (
        <Table
          caption="Task managers"
          columns={[...COLUMNS, logColumn(place, nodes)]}
          rows={data.taskmanagers}
          keyOf={(one) => one.id}
          empty={source.interval === 0 ? "All task managers were given back when the job ended" : "No task manager yet"}
          sorted="Container"
        />
      )}
    </Loaded>
  );
}

const COLUMNS: readonly Column<TaskManager>[] = [
  { title: "Container", by: (one) => one.id, show: (one) => <span class="id">{one.id}</span> },
  { title: "Address", by: (one) => one.path, show: (one) => one.path },
  { title: "Data port", isNumber: true, show: (one) => (one.dataPort > 0 ? one.dataPort : "–") },
  {
    title: "Slots in use",
    by: (one) => one.slotsNumber - one.freeSlots,
    show: (one) => <Usage used={one.slotsNumber - one.freeSlots} total={one.slotsNumber} show={exact} label={`Slots of ${one.id} in use`} />,
  },
  { title: "Subtasks", isNumber: true, show: (one) => exact(one.assignedTasks ?? null) },
  { title: "Memory", by: (one) => memoryOf(one).used, show: (one) => <Memory of={one} /> },
  { title: "Last heard of", by: (one) => one.timeSinceLastHeartbeat, show: (one) => <Time at={one.timeSinceLastHeartbeat} /> },
];

function memoryOf(one: TaskManager): { used: number; total: number } {
  const total = one.memoryConfiguration?.totalProcessMemory ?? one.hardware?.physicalMemory ?? 0;
  const free = one.hardware?.freeMemory ?? total;
  return { used: Math.max(0, total - free), total };
}

function Memory({ of }: { of: TaskManager }) {
  const { used, total } = memoryOf(of);
  return <Usage used={used} total={total} show={bytes} label={`Memory of ${of.id} in use`} />;
}

function logColumn(place: Place, nodes: ReadonlyMap<string, string>): Column<TaskManager> {
  const link = (one: TaskManager, file: string) => {
    const node = nodes.get(one.id);
    return node === undefined || node === "" ? null : clusterHref(place, { page: "log", node, container: one.id, file });
  };
  return {
    title: "Logs",
    show: (one) => (
      <span class="links">
        {["stdout", "stderr"].map((file) => {
          const target = link(one, file);
          return target === null ? null : (
            <a key={file} href={target}>
              {file}
            </a>
          );
        })}
      </span>
    ),
  };
}
