/** One application: how it stands and why, its jobs, attempts and containers with their logs. */

import { Badge, Facts, Id, Section, Time } from "../parts/basics";
import { DangerAction } from "../parts/dialog";
import { Heading } from "../parts/heading";
import { Empty, Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { duration, exact, mebibytes, plural } from "../model/format";
import { href } from "../model/route";
import type { Application, Attempt, Container, PendingAsk } from "../model/shapes";
import { isApplicationEnded, verdictOf } from "../model/states";
import { clusterBase, CLUSTER, usePlace } from "../net/place";
import { DEFAULT_INTERVAL_MS, usePoll, usePolls } from "../net/poll";
import { Verdict } from "./applications";
import { MasterJobs } from "./jobs";
import { LogLinks } from "./nodes";

const TRAIL = [{ title: "Applications", href: href({ page: "applications", show: "all", search: "" }) }];

export function ApplicationPage({ id }: { id: string }) {
  const path = `${CLUSTER}/apps/${encodeURIComponent(id)}`;
  const answer = usePoll<{ app: Application }>(path);
  const application = answer.data?.app;
  const isEnded = isApplicationEnded(application?.state);
  return (
    <>
      <Heading
        title={application?.name ?? id}
        trail={TRAIL}
        state={application === undefined ? undefined : verdictOf(application)}
        badge={application === undefined ? null : <Verdict application={application} />}
        actions={application === undefined ? null : <Kill application={application} path={path} />}
      />
      <Loaded from={answer} what="the application" rows={4}>
        {(data) => (
          <>
            <ApplicationFacts application={data.app} />
            <Diagnostics text={data.app.diagnostics ?? ""} isFailed={verdictOf(data.app) === "FAILED"} />
            {isEnded ? null : <Pending path={path} />}
            <Section title="Jobs">
              {data.app.state === "RUNNING" || isEnded ? (
                <MasterJobs application={id} isEnded={isEnded} missing={<NoJobs application={data.app} />} />
              ) : (
                <Empty title="No job yet">The app master has not started.</Empty>
              )}
            </Section>
            <Attempts application={id} isEnded={isEnded} />
          </>
        )}
      </Loaded>
    </>
  );
}

/** The resource manager has no answer about the jobs of an application. */
function NoJobs({ application }: { application: Application }) {
  if (!isApplicationEnded(application.state)) return <Empty title="No job yet">The app master does not answer yet.</Empty>;
  if (application.launchTime === 0) return <Empty title="No job">The application ended before its app master started.</Empty>;
  return (
    <Empty title="No details of its jobs">
      The app master ended before it stored the details of its jobs. <code>weir list -a</code> shows the final state of each job.
    </Empty>
  );
}

function Kill({ application, path }: { application: Application; path: string }) {
  if (isApplicationEnded(application.state)) return null;
  return (
    <DangerAction
      name="Kill application"
      question={`Kill ${application.name}?`}
      call={{ method: "PUT", path: `${path}/state`, body: { state: "KILLED" } }}
      affects={path}
    >
      Its app master and all its containers end at once. Jobs do not get to finish what they have begun.
    </DangerAction>
  );
}

function ApplicationFacts({ application }: { application: Application }) {
  const isEnded = isApplicationEnded(application.state);
  return (
    <Facts
      facts={[
        ["Id", <Id>{application.id}</Id>],
        ["User", application.user],
        ["Queue", application.queue],
        ["Type", application.applicationType ?? "–"],
        ["Started", <Time at={application.startedTime} />],
        ["Ended", <Time at={application.finishedTime} />],
        ["Duration", duration(application.elapsedTime)],
        ["Containers", isEnded ? "–" : exact(Math.max(0, application.runningContainers ?? 0))],
        ["Memory leased", isEnded ? "–" : mebibytes(application.allocatedMB)],
        ["Cores leased", isEnded ? "–" : exact(Math.max(0, application.allocatedVCores ?? 0))],
        ["Used in total", usedInTotal(application)],
      ]}
    />
  );
}

function usedInTotal(application: Application): string {
  if (application.memorySeconds === undefined) return "–";
  return `${exact(Math.round(application.memorySeconds / 1024))} GiB·s, ${exact(application.vcoreSeconds)} core·s`;
}

function Diagnostics({ text, isFailed }: { text: string; isFailed: boolean }) {
  if (text.trim() === "") return null;
  return (
    <Section title="Diagnostics">
      <pre class={`text-block${isFailed ? " text-block-bad" : ""}`} tabIndex={0}>
        {text.trim()}
      </pre>
    </Section>
  );
}

/** Why containers are missing. Shown only when some are. */
function Pending({ path }: { path: string }) {
  const answer = usePoll<{ pending?: { ask?: PendingAsk[] } }>(`${path}/pending`);
  const asks = answer.data?.pending?.ask ?? [];
  if (asks.length === 0) return null;
  return (
    <Section title="Waiting for containers">
      <ul class="pending">
        {asks.map((ask) => (
          <li key={`${ask.attempt}-${ask.askId ?? "am"}`} class="notice notice-warn">
            <strong>
              {ask.askId === null ? "The app master" : plural(ask.missing, "container")}
              {ask.capability === undefined ? "" : ` of ${mebibytes(ask.capability.memory)} and ${plural(ask.capability.vCores, "core")}`}
            </strong>
            <span>{ask.reason}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

interface AttemptsAnswer {
  appAttempts?: { appAttempt?: Attempt[] } | null;
}

interface ContainersAnswer {
  containers?: { container?: Container[] } | null;
}

function Attempts({ application, isEnded }: { application: string; isEnded: boolean }) {
  const interval = isEnded ? 0 : DEFAULT_INTERVAL_MS;
  const path = `${CLUSTER}/apps/${encodeURIComponent(application)}/appattempts`;
  const answer = usePoll<AttemptsAnswer>(path, interval);
  return (
    <>
      <Containers application={application} isEnded={isEnded} />
      <Section title="Attempts">
        <Loaded from={answer} what="the attempts" rows={1}>
          {(data) => (
            <Table
              caption="Attempts"
              columns={ATTEMPT_COLUMNS}
              rows={data.appAttempts?.appAttempt ?? []}
              keyOf={(attempt) => attempt.id}
              empty="No attempt yet"
              sorted="-Attempt"
            />
          )}
        </Loaded>
      </Section>
    </>
  );
}

const ATTEMPT_COLUMNS: readonly Column<Attempt>[] = [
  { title: "Attempt", by: (attempt) => attempt.id, show: (attempt) => attempt.id },
  { title: "State", show: (attempt) => (attempt.state ? <Badge state={verdictOf(attempt)} /> : "–") },
  { title: "Started", show: (attempt) => <Time at={attempt.startTime} /> },
  { title: "Ended", show: (attempt) => <Time at={attempt.finishedTime} /> },
  { title: "Node", show: (attempt) => <NodeLink node={attempt.nodeId} /> },
  { title: "App master's logs", show: (attempt) => <ContainerLogs node={attempt.nodeId} container={attempt.containerId} /> },
  {
    title: "Diagnostics",
    show: (attempt) => (
      <span class="sentence">{attempt.diagnostics ?? ""}</span>
    ),
  },
];

function NodeLink({ node }: { node: string | undefined }) {
  return node === undefined || node === "" ? <span class="faint">–</span> : <a href={href({ page: "node", node })}>{node}</a>;
}

function ContainerLogs({ node, container }: { node: string | undefined; container: string | undefined }) {
  if (node === undefined || node === "" || container === undefined || container === "") return <span class="faint">–</span>;
  return <LogLinks node={node} container={container} />;
}

function Containers({ application, isEnded }: { application: string; isEnded: boolean }) {
  const containers = useContainers(application, isEnded ? 0 : DEFAULT_INTERVAL_MS);
  return (
    <Section title="Containers">
      <Table
        caption="Containers"
        columns={CONTAINER_COLUMNS}
        rows={containers}
        keyOf={(container) => container.containerId}
        empty="No container on record"
        limit={50}
      />
    </Section>
  );
}

/** The containers of all attempts; empty where no resource manager is within reach. */
export function useContainers(application: string | null, interval: number): Container[] {
  const base = clusterBase(usePlace());
  const path = application === null || base === null ? null : `${base}/apps/${encodeURIComponent(application)}/appattempts`;
  const attempts = usePoll<AttemptsAnswer>(path, interval);
  const known = attempts.data?.appAttempts?.appAttempt ?? [];
  const answers = usePolls<ContainersAnswer>(
    path === null ? [] : known.map((attempt) => `${path}/${encodeURIComponent(attempt.appAttemptId ?? String(attempt.id))}/containers`),
    interval,
  );
  const lists = answers.map((answer) => answer.data?.containers?.container ?? []);
  return lists.flat();
}

const nodeOf = (container: Container) => container.assignedNodeId || container.nodeId || undefined;

const CONTAINER_COLUMNS: readonly Column<Container>[] = [
  { title: "Container", by: (container) => container.containerId, show: (container) => <Id>{container.containerId}</Id> },
  { title: "State", by: (container) => container.containerState, show: (container) => <Badge state={container.containerState} /> },
  { title: "Node", by: (container) => nodeOf(container) ?? "", show: (container) => <NodeLink node={nodeOf(container)} /> },
  { title: "Memory", isNumber: true, by: (container) => container.allocatedMB, show: (container) => mebibytes(container.allocatedMB) },
  { title: "Cores", isNumber: true, by: (container) => container.allocatedVCores, show: (container) => container.allocatedVCores },
  { title: "Started", by: (container) => container.startedTime, show: (container) => <Time at={container.startedTime} /> },
  { title: "Duration", isNumber: true, by: (container) => container.elapsedTime, show: (container) => duration(container.elapsedTime) },
  {
    title: "Exit",
    show: (container) => (
      <span class="clip" title={container.diagnosticsInfo}>
        {container.containerState === "COMPLETE" ? `${container.containerExitStatus ?? "?"} ${container.diagnosticsInfo ?? ""}` : ""}
      </span>
    ),
  },
  { title: "Logs", show: (container) => <ContainerLogs node={nodeOf(container)} container={container.containerId} /> },
];
