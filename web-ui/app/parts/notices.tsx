/** What stands where there is nothing to show: yet, at all, or any more. */

import type { ComponentChildren } from "preact";
import { clock } from "../model/format";
import type { Failure } from "../net/client";
import type { Polled } from "../net/poll";

/** Nothing there, and why. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children === undefined ? null : <p>{children}</p>}
    </div>
  );
}

/** The shape of what is to come. */
export function Skeleton({ rows = 3 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} class="skeleton-row" />
      ))}
    </div>
  );
}

/** What went wrong, and what that means for the viewer. */
export function Problem({ error, what }: { error: Failure; what: string }) {
  return (
    <div class="notice notice-bad" role="alert">
      <p>
        <strong>{title(error, what)}</strong>
      </p>
      <p>{error.message}</p>
      <p class="faint">{advice(error)}</p>
    </div>
  );
}

function title(error: Failure, what: string): string {
  return error.kind === "missing" ? `Could not find ${what}` : `Could not load ${what}`;
}

function advice(error: Failure): string {
  switch (error.kind) {
    case "missing":
      return "It may have been removed, or the address may be wrong.";
    case "refused":
      return "The server refused the request.";
    default:
      return "The page tries again by itself.";
  }
}

/**
 * The last good answer, or what stands for it. An old answer stays in view with a note that it is
 * old; a lost connection is told once, at the top of the page.
 */
export function Loaded<T>({ from, what, rows, missing, children }: LoadedProps<T>) {
  if (from.data === undefined) {
    if (from.error === undefined) return <Skeleton rows={rows ?? 3} />;
    if (from.error.kind === "missing" && missing !== undefined) return <>{missing}</>;
    return <Problem error={from.error} what={what} />;
  }
  const isStale = from.error !== undefined && !from.error.isConnection;
  return (
    <>
      {isStale ? <Stale error={from.error as Failure} what={what} at={from.at ?? 0} /> : null}
      {children(from.data)}
    </>
  );
}

interface LoadedProps<T> {
  from: Polled<T>;
  /** In the plural or with an article: `the nodes`. */
  what: string;
  rows?: number;
  /** What to show when the server has no such thing. */
  missing?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

function Stale({ error, what, at }: { error: Failure; what: string; at: number }) {
  return (
    <p class="notice notice-warn" role="status">
      Showing {what} as of {clock(at)}: {error.message}
    </p>
  );
}
