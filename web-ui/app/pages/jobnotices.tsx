/** What stands above every tab of a job that does not simply run: what it waits for, and why it failed. */

import { plural } from "../model/format";
import type { FailureReport, Job, JobProgress } from "../model/shapes";

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
      {failure === undefined ? null : <Cause job={job} failure={failure} exceptions={exceptions} />}
    </>
  );
}

function Cause({ job, failure, exceptions }: { job: Job; failure: FailureReport; exceptions: string }) {
  const hasFailed = FAILED.includes(job.state);
  const consequences = failure["consequence-count"] ?? 0;
  const places = [failure.task, failure.operator === undefined ? "" : `operator ${failure.operator}`, failure.container].filter(Boolean);
  return (
    <div class={`notice ${hasFailed ? "notice-bad" : "notice-warn"}`} role={hasFailed ? "alert" : "status"}>
      <p>
        <strong>{titleOf(job.state)}</strong> {failure.message} <span class="id">{failure.code}</span>
      </p>
      <p class="faint">
        {places.length === 0 ? null : <>{places.join(", ")} · </>}
        {consequences === 0 ? null : <>{plural(consequences, "other failure")} followed from it · </>}
        <a href={exceptions}>Failures and logs</a>
      </p>
    </div>
  );
}

function titleOf(state: string): string {
  if (FAILED.includes(state)) return "Cause of the failure:";
  return state === "RESTARTING" ? "Restarting because of:" : "Last restarted because of:";
}
