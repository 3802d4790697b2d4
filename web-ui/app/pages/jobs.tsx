/** Jobs: of one app master, and of all applications of the cluster. */

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Badge, Id, Time } from "../parts/basics";
import { Heading } from "../parts/heading";
import { Empty, Loaded, Skeleton } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { duration, shortId } from "../model/format";
import { href, jobHref } from "../model/route";
import type { Application, JobSummary } from "../model/shapes";
import { isApplicationEnded, isJobEnded } from "../model/states";
import { masterBase, usePlace } from "../net/place";
import { DEFAULT_INTERVAL_MS, usePoll, usePolls } from "../net/poll";
import { useApplications } from "./applications";

interface JobsAnswer {
  jobs: JobSummary[];
}

/** A job and whose it is. */
interface JobRow {
  application: string | null;
  job: JobSummary;
}

/** The applications whose jobs the page of all jobs asks for; the newest come first. */
const MOST_APPLICATIONS = 50;

export function JobsPage() {
  const place = usePlace();
  return (
    <>
      <Heading title="Jobs" />
      {place.kind === "resource-manager" ? <ClusterJobs /> : <MasterJobs application={null} />}
    </>
  );
}

function ClusterJobs() {
  const applications = useApplications();
  return (
    <Loaded from={applications} what="the applications">
      {(all) => <JobsOf applications={all.filter(hasJobs).slice(0, MOST_APPLICATIONS)} />}
    </Loaded>
  );
}

/** One that waits has no app master to ask yet; one that failed or was killed has stored no details of its jobs. */
function hasJobs(application: Application): boolean {
  const isOurs = (application.applicationType ?? "WEIR") === "WEIR";
  return isOurs && (application.state === "RUNNING" || application.state === "FINISHED");
}

function JobsOf({ applications }: { applications: Application[] }) {
  const overview = (application: Application) => `${masterBase(application.id)}jobs/overview`;
  const [live, ended] = [applications.filter((one) => !isApplicationEnded(one.state)), applications.filter((one) => isApplicationEnded(one.state))];
  const liveAnswers = usePolls<JobsAnswer>(live.map(overview), DEFAULT_INTERVAL_MS);
  const endedAnswers = usePolls<JobsAnswer>(ended.map(overview), 0);
  const rows = [...rowsOf(live, liveAnswers), ...rowsOf(ended, endedAnswers)];
  const isLoading = [...liveAnswers, ...endedAnswers].some((answer) => answer.data === undefined && answer.error === undefined);
  if (rows.length === 0 && isLoading) return <Skeleton rows={4} />;
  return <JobsTable rows={rows} columns={[...COLUMNS, APPLICATION_COLUMN]} />;
}

function rowsOf(applications: Application[], answers: { data: JobsAnswer | undefined }[]): JobRow[] {
  return applications.flatMap((application, index) =>
    (answers[index]?.data?.jobs ?? []).map((job) => ({ application: application.id, job })),
  );
}

interface MasterJobsProps {
  application: string | null;
  isEnded?: boolean;
  /** What to show when there is no answer about its jobs. */
  missing?: ComponentChildren;
}

/** The jobs of one app master; an application of null is the one that serves the page. */
export function MasterJobs({ application, isEnded = false, missing }: MasterJobsProps) {
  const answer = usePoll<JobsAnswer>(`${masterBase(application)}jobs/overview`, isEnded ? 0 : DEFAULT_INTERVAL_MS);
  const rows = useMemo(() => (answer.data?.jobs ?? []).map((job) => ({ application, job })), [answer.data, application]);
  return (
    <Loaded from={answer} what="the jobs" missing={missing ?? <Empty title="No job yet" />}>
      {() => <JobsTable rows={rows} columns={COLUMNS} />}
    </Loaded>
  );
}

const COLUMNS: readonly Column<JobRow>[] = [
  {
    title: "Job",
    by: (row) => row.job.name,
    show: (row) => (
      <span class="two-lines">
        <a href={jobHref(row.application, row.job.jid)}>{row.job.name}</a>
        <Id>{row.job.jid}</Id>
      </span>
    ),
  },
  { title: "State", by: (row) => row.job.state, show: (row) => <Badge state={row.job.state} /> },
  { title: "Subtasks", show: (row) => <SubtaskCounts tasks={row.job.tasks} /> },
  { title: "Started", by: (row) => row.job["start-time"], show: (row) => <Time at={row.job["start-time"]} /> },
  {
    title: "Ended",
    by: (row) => row.job["end-time"],
    show: (row) => (isJobEnded(row.job.state) ? <Time at={row.job["end-time"]} /> : <span class="faint">–</span>),
  },
  { title: "Duration", isNumber: true, by: (row) => row.job.duration, show: (row) => duration(row.job.duration) },
];

const APPLICATION_COLUMN: Column<JobRow> = {
  title: "Application",
  by: (row) => row.application ?? "",
  show: (row) =>
    row.application === null ? "–" : <a href={href({ page: "application", application: row.application })}>{shortApplication(row.application)}</a>,
};

function shortApplication(application: string): string {
  const number = application.split("_").at(-1);
  return number === undefined ? shortId(application) : `…_${number}`;
}

function JobsTable({ rows, columns }: { rows: JobRow[]; columns: readonly Column<JobRow>[] }) {
  return (
    <Table
      caption="Jobs"
      columns={columns}
      rows={rows}
      keyOf={(row) => `${row.application ?? ""}/${row.job.jid}`}
      empty={<Empty title="No job yet">Jobs show up here once an app master runs them.</Empty>}
      sorted="-Started"
    />
  );
}

/** How many subtasks are in each state; states without subtasks are left out. */
export function SubtaskCounts({ tasks }: { tasks: Record<string, number> }) {
  const counts = Object.entries(tasks).filter(([state, count]) => state !== "total" && count > 0);
  if (counts.length === 0) return <span class="faint">–</span>;
  return (
    <span class="counts">
      {counts.map(([state, count]) => (
        <span key={state} title={`${count} ${state.toLowerCase()}`}>
          <Badge state={`${state.toUpperCase()}`} /> {count}
        </span>
      ))}
    </span>
  );
}
