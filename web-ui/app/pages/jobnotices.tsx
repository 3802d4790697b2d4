/** What stands above every tab of a job that does not simply run: what it waits for, and why it failed. */

import { Time } from "../parts/basics";
import { duration, plural } from "../model/format";
import type { FailureReport, Job, JobProgress } from "../model/shapes";
import { taskOf } from "./exceptions";

interface NoticesProps {
  job: Job;
  progress: JobProgress | undefined;
  /** The address of all failures. */
  exceptions: string;
}

const FAILED = ["FAILED", "FAILING", "SUSPENDED"];

export function JobNotices({ job, progress, exceptions }: NoticesProps) {
  const failure = progress?.failure;
  const waiting = progress?.waiting ?? "";
  return (
    <>
      {waiting === "" ? null : (
        <div class="notice notice-warn" role="status">
          <p>
            <strong>Waiting</strong> {waiting}
          </p>
        </div>
      )}
      {failure === undefined || failure === null ? null : <Cause job={job} failure={failure} progress={progress} exceptions={exceptions} />}
    </>
  );
}

interface CauseProps {
  job: Job;
  failure: FailureReport;
  progress: JobProgress | undefined;
  exceptions: string;
}

function Cause({ job, failure, progress, exceptions }: CauseProps) {
  const hasFailed = FAILED.includes(job.state);
  const consequences = failure["consequence-count"] ?? 0;
  const places = [failure.task, failure.operator ? `operator ${failure.operator}` : "", failure.container].filter(Boolean);
  return (
    <div class={`notice ${hasFailed ? "notice-bad" : "notice-warn"}`} role={hasFailed ? "alert" : "status"}>
      <p>
        <strong>{titleOf(job.state)}</strong> {failure.message} <span class="id">{failure.code}</span>
      </p>
      {job.state === "RESTARTING" ? <NextRestart job={job} progress={progress} /> : null}
      {isHidden(job, failure) ? (
        <p>The graph does not show this task. It coordinates a source or a sink, and its failure stopped the tasks that it shows.</p>
      ) : null}
      <p class="faint">
        {places.length === 0 ? null : <>{places.join(", ")} · </>}
        {consequences === 0 ? null : <>{plural(consequences, "other failure")} followed from it · </>}
        <a href={exceptions}>Failures and logs</a>
      </p>
    </div>
  );
}

/** Which restart follows and after which delay. The restart also waits until all tasks have stopped. */
function NextRestart({ job, progress }: { job: Job; progress: JobProgress | undefined }) {
  const failedAt = job.timestamps["RESTARTING"] ?? 0;
  const delay = progress?.["restart-delay-ms"];
  if (progress === undefined || delay === undefined || failedAt <= 0) return null;
  return (
    <p>
      Restart {progress.restarts} follows {duration(delay)} after the failure, when all tasks have stopped: not before{" "}
      <Time at={failedAt + delay} />.
    </p>
  );
}

/** Coordinators of sources and sinks are tasks, but no vertices of the graph that users see. */
function isHidden(job: Job, failure: FailureReport): boolean {
  const { task } = taskOf(failure.task);
  return task !== "" && job.vertices.length > 0 && !job.vertices.some((vertex) => vertex.name === task);
}

function titleOf(state: string): string {
  if (FAILED.includes(state)) return "Cause of the failure:";
  return state === "RESTARTING" ? "Restarting because of:" : "Last restarted because of:";
}
