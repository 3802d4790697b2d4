/**
 * How loaded a vertex is: from Flink's metrics to ratios, from ratios to OK, LOW and HIGH, as Flink
 * does it (a vertex is as backpressured as its worst subtask).
 */

import { known } from "./format";
import { isVertexRunning } from "./states";
import type { AggregatedMetric, Backpressure, SubtaskPressure } from "./shapes";

export type Level = "OK" | "LOW" | "HIGH";

/** Ratios are 0 to 1; null is not known. */
export interface Load {
  backpressured: number | null;
  busy: number | null;
  idle: number | null;
  inPerSecond: number | null;
  outPerSecond: number | null;
}

export const UNKNOWN_LOAD: Load = { backpressured: null, busy: null, idle: null, inPerSecond: null, outPerSecond: null };

/** The load of a vertex as far as it is true now: one that does not run has none. */
export function currentLoad(status: string | undefined, load: Load | undefined): Load {
  return isVertexRunning(status) ? (load ?? UNKNOWN_LOAD) : UNKNOWN_LOAD;
}

/** OK up to 0.10, LOW up to 0.50, else HIGH; both bounds belong to the lower level. */
export function levelOf(ratio: number): Level {
  if (ratio <= 0.1) return "OK";
  return ratio <= 0.5 ? "LOW" : "HIGH";
}

/** Worst backpressure and busyness of a vertex's subtasks, and the sum of their rates. */
export function loadOf(metrics: AggregatedMetric[] | undefined): Load {
  const find = (id: string) => (metrics ?? []).find((metric) => metric.id === id);
  const share = (id: string) => ratioOf(known(find(id)?.max));
  return {
    backpressured: share("backPressuredTimeMsPerSecond"),
    busy: share("busyTimeMsPerSecond"),
    idle: share("idleTimeMsPerSecond"),
    inPerSecond: known(find("numRecordsInPerSecond")?.sum),
    outPerSecond: known(find("numRecordsOutPerSecond")?.sum),
  };
}

function ratioOf(msPerSecond: number | null): number | null {
  return msPerSecond === null ? null : Math.min(1, Math.max(0, msPerSecond / 1000));
}

/** The level as the server says it, or by its ratio where it does not. */
export function serverLevel(of: Partial<Backpressure> | Partial<SubtaskPressure>): Level | null {
  const said = (of["backpressure-level"] ?? of.backpressureLevel ?? "").toUpperCase();
  if (said === "OK" || said === "LOW" || said === "HIGH") return said;
  const ratio = "ratio" in of ? known(of.ratio) : null;
  return ratio === null ? null : levelOf(ratio);
}
