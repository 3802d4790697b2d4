/**
 * Requests to the server that the page came from. Addresses are relative, so the page works below
 * any prefix; nothing else is ever asked. Each request ends in time.
 */

/** The longest that an answer may take. */
export const TIMEOUT_MS = 10_000;

/** What went wrong, so that the page can say what to do about it. */
export type FailureKind =
  /** No answer: the server is down, or the way to it. */
  | "unreachable"
  /** No answer in time. */
  | "timeout"
  /** The token is missing or wrong. */
  | "refused"
  /** There is no such thing (any more). */
  | "missing"
  /** Any other answer that is no success. */
  | "failed"
  /** A success that is not JSON. */
  | "garbled";

export class Failure extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly status: number | null = null,
  ) {
    super(message);
  }

  /** Whether the server could not be asked at all. */
  get isConnection(): boolean {
    return this.kind === "unreachable" || this.kind === "timeout";
  }
}

/** GETs text. */
export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  return (await request(path, { method: "GET" }, signal)).text;
}

/** GETs JSON. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return parse<T>(await getText(path, signal), path);
}

/** JSON out of an answer's text. */
export function parse<T>(text: string, path: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Failure("garbled", `the answer of ${path} is not JSON`);
  }
}

/** A call that changes something. */
export async function change(method: "PUT" | "PATCH", path: string, token: string, body: unknown): Promise<void> {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  await request(path, { method, headers, body: JSON.stringify(body) });
}

async function request(path: string, init: RequestInit, outer?: AbortSignal): Promise<{ text: string }> {
  const timer = AbortSignal.timeout(TIMEOUT_MS);
  const signal = outer === undefined ? timer : AbortSignal.any([timer, outer]);
  let response: Response;
  let text: string;
  try {
    const headers = { Accept: "application/json, text/plain", ...init.headers };
    response = await fetch(path, { ...init, headers, signal, cache: "no-store", credentials: "omit" });
    text = await response.text();
  } catch (problem) {
    if (outer?.aborted === true) throw problem;
    if (timer.aborted) throw new Failure("timeout", `no answer within ${TIMEOUT_MS / 1000} seconds`);
    throw new Failure("unreachable", "the server cannot be reached");
  }
  if (response.ok) return { text };
  throw new Failure(kindOf(response.status), messageOf(text, response.status), response.status);
}

function kindOf(status: number): FailureKind {
  if (status === 401 || status === 403) return "refused";
  return status === 404 ? "missing" : "failed";
}

/** The message of YARN's or Flink's form of error, or else the status. */
export function messageOf(text: string, status: number): string {
  try {
    const body = JSON.parse(text) as { errors?: unknown; RemoteException?: { message?: unknown } };
    const message = body.RemoteException?.message ?? (Array.isArray(body.errors) ? body.errors[0] : undefined);
    if (typeof message === "string" && message !== "") return message;
  } catch {
    // Not JSON: the status says enough.
  }
  return `the server answered with status ${status}`;
}
