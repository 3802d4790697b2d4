/** Applications of the cluster: the table with its filters, on a page of its own and in the overview. */

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Badge, Id, Time } from "../parts/basics";
import { Loaded, Empty } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { duration, plural } from "../model/format";
import { href, type Show } from "../model/route";
import type { Application } from "../model/shapes";
import { isApplicationEnded, isWaiting, toneOfApplication, verdictOf } from "../model/states";
import { CLUSTER } from "../net/place";
import { type Polled, usePoll } from "../net/poll";
import { Heading } from "../parts/heading";

interface AppsAnswer {
  apps?: { app?: Application[] } | null;
}

/** All applications, newest first. */
export function useApplications(): Polled<Application[]> {
  const answer = usePoll<AppsAnswer>(`${CLUSTER}/apps`);
  const data = useMemo(() => newestFirst(answer.data), [answer.data]);
  return { ...answer, data };
}

function newestFirst(answer: AppsAnswer | undefined): Application[] | undefined {
  if (answer === undefined) return undefined;
  return [...(answer.apps?.app ?? [])].sort((a, b) => b.startedTime - a.startedTime);
}

export function ApplicationsPage({ show, search }: { show: Show; search: string }) {
  const applications = useApplications();
  return (
    <>
      <Heading title="Applications" />
      <Loaded from={applications} what="the applications" rows={6}>
        {(all) => <FilteredApplications all={all} show={show} search={search} filter={navigate} />}
      </Loaded>
    </>
  );
}

/** Filters stand in the address, so that it can be kept; they make no history. */
function navigate(show: Show, search: string): void {
  history.replaceState(history.state, "", href({ page: "applications", show, search }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

interface FilteredProps {
  all: Application[];
  show: Show;
  search: string;
  filter: (show: Show, search: string) => void;
}

/** By their name in the address. Those that wait for their app master have not ended either. */
const SHOWS: Record<Show, string> = { all: "all", running: "active", ended: "ended" };

export function FilteredApplications({ all, show, search, filter }: FilteredProps) {
  const matching = all.filter((application) => matches(application, search));
  const rows = matching.filter((application) => isShown(application, show));
  return (
    <>
      <div class="toolbar">
        <div class="segments" role="group" aria-label="Which applications">
          {(Object.keys(SHOWS) as Show[]).map((one) => (
            <button key={one} type="button" aria-pressed={one === show} onClick={() => filter(one, search)}>
              {SHOWS[one]} <span class="tab-count">{matching.filter((application) => isShown(application, one)).length}</span>
            </button>
          ))}
        </div>
        <input
          type="search"
          class="search"
          placeholder="Search id, name, user, queue"
          aria-label="Search applications"
          aria-keyshortcuts="/"
          value={search}
          onInput={(event) => filter(show, event.currentTarget.value)}
        />
      </div>
      <ApplicationsTable rows={rows} empty={all.length === 0 ? <NoApplications /> : "No application matches"} />
    </>
  );
}

function NoApplications() {
  return (
    <Empty title="No application yet">
      Submit one with <code>weir run -t per-job</code> and it shows up here.
    </Empty>
  );
}

/** Whether each word of a search is in what the table shows of an application. */
export function matches(application: Application, search: string): boolean {
  const text = [application.id, application.name, application.user, application.queue, verdictOf(application), waitReason(application)]
    .join(" ")
    .toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function isShown(application: Application, show: Show): boolean {
  return show === "all" || isApplicationEnded(application.state) === (show === "ended");
}

const COLUMNS: readonly Column<Application>[] = [
  {
    title: "Application",
    by: (application) => application.name,
    show: (application) => (
      <span class="two-lines">
        <a href={href({ page: "application", application: application.id })}>{application.name}</a>
        <Id>{application.id}</Id>
      </span>
    ),
  },
  {
    title: "State",
    by: verdictOf,
    show: (application) => (
      <span class="two-lines">
        <Verdict application={application} />
        {isWaiting(application) ? (
          <span class="faint reason">{waitReason(application)}</span>
        ) : null}
      </span>
    ),
  },
  { title: "User", by: (application) => application.user, show: (application) => application.user },
  { title: "Queue", by: (application) => application.queue, show: (application) => application.queue },
  { title: "Started", by: (application) => application.startedTime, show: (application) => <Time at={application.startedTime} /> },
  {
    title: "Duration",
    isNumber: true,
    by: (application) => application.elapsedTime,
    show: (application) => duration(application.elapsedTime),
  },
];

/** How an application stands, in one word. */
export function Verdict({ application }: { application: Application }) {
  return <Badge state={verdictOf(application)} tone={toneOfApplication(application)} />;
}

/** `waits for 2 containers: …`; empty when it waits for none. */
function waitReason(application: Application): string {
  if (!isWaiting(application)) return "";
  const reason = application.pendingReason ?? "";
  return `waits for ${plural(application.pendingContainers ?? 0, "container")}${reason === "" ? "" : `: ${reason}`}`;
}

function ApplicationsTable({ rows, empty }: { rows: Application[]; empty: ComponentChildren }) {
  return <Table caption="Applications" columns={COLUMNS} rows={rows} keyOf={(application) => application.id} empty={empty} />;
}
