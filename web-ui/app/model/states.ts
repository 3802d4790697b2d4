/** States of applications, jobs, tasks, nodes and checkpoints: how each looks and whether it is final. */

import type { Application } from "./shapes";

export type Tone = "good" | "done" | "wait" | "warn" | "bad" | "quiet";

const TONES: Record<string, Tone> = {
  RUNNING: "good",
  HEALTHY: "good",
  FINISHED: "done",
  SUCCEEDED: "done",
  COMPLETED: "done",
  COMPLETE: "done",
  NEW: "wait",
  NEW_SAVING: "wait",
  SUBMITTED: "wait",
  ACCEPTED: "wait",
  CREATED: "wait",
  SCHEDULED: "wait",
  DEPLOYING: "wait",
  INITIALIZING: "wait",
  RESTARTING: "wait",
  RECONCILING: "wait",
  IN_PROGRESS: "wait",
  ALLOCATED: "wait",
  ACQUIRED: "wait",
  LOCALIZING: "wait",
  LAUNCHED: "wait",
  KILLING: "warn",
  KILLED: "warn",
  CANCELLING: "warn",
  CANCELING: "warn",
  CANCELED: "warn",
  SUSPENDED: "warn",
  FAILING: "bad",
  FAILED: "bad",
  LOST: "bad",
  REBOOTED: "warn",
  UNHEALTHY: "bad",
};

/** A state that waits for containers looks so, also where it is called RUNNING. */
export function toneOfApplication(application: Application): Tone {
  return isWaiting(application) ? "wait" : toneOf(verdictOf(application));
}

/** Whether an application lacks containers that it has asked for. */
export function isWaiting(application: Application): boolean {
  return !isApplicationEnded(application.state) && (application.pendingContainers ?? 0) > 0;
}

/** How a state looks. One that is not known looks like nothing in particular. */
export function toneOf(state: string): Tone {
  return TONES[state.toUpperCase()] ?? "quiet";
}

/** The one state of an application or an attempt: until its end YARN's state, then how the job ended. */
export function verdictOf({ state = "", finalStatus = "UNDEFINED" }: { state?: string; finalStatus?: string }): string {
  return state === "FINISHED" && finalStatus !== "UNDEFINED" ? finalStatus : state;
}

/** Whether its tasks do anything: what is measured of others is old, or nothing. */
export function isVertexRunning(status: string | undefined): boolean {
  return status === "RUNNING";
}

const ENDED_JOBS = ["FINISHED", "FAILED", "CANCELED"];
const ENDED_APPLICATIONS = ["FINISHED", "FAILED", "KILLED"];

/** Whether nothing about a job changes any more. */
export function isJobEnded(state: string | undefined): boolean {
  return state !== undefined && ENDED_JOBS.includes(state);
}

/** Whether an application has ended. */
export function isApplicationEnded(state: string | undefined): boolean {
  return state !== undefined && ENDED_APPLICATIONS.includes(state);
}
