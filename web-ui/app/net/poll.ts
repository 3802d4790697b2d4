/**
 * What the server says, kept fresh while somebody looks. Each address has one entry, shared by all
 * who show it: its last good answer stays in view while the next one is fetched and when that
 * fails. Nothing is fetched while the tab is hidden. An entry without viewers is kept for a while,
 * so that going back shows something at once.
 */

import { useEffect, useMemo, useState } from "preact/hooks";
import { Failure, getText, parse } from "./client";
import { Signal } from "./signal";

/** The interval of pages that no server tells one for. */
export const DEFAULT_INTERVAL_MS = 2_000;

const LONGEST_INTERVAL_MS = 15_000;
const KEPT_ENTRIES = 300;

export interface Polled<T> {
  /** The last good answer. */
  data: T | undefined;
  /** Why there is none newer; absent when the last attempt went well. */
  error: Failure | undefined;
  /** When the last good answer came. */
  at: number | undefined;
}

/** Whether the server answers at all. */
export interface Connection {
  isLost: boolean;
  lastAnswerAt: number | null;
}

export const connection = new Signal<Connection>({ isLost: false, lastAnswerAt: null });

/** 0 is: once. */
type Interval = number;

class Entry {
  #text: string | undefined;
  #state: Polled<unknown> = { data: undefined, error: undefined, at: undefined };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fetching: AbortController | undefined;
  #failures = 0;
  /** Whether the last good answer was asked for by those who ask once. */
  #isSettled = false;
  readonly #viewers = new Map<symbol, { interval: Interval; redraw: () => void }>();

  constructor(
    private readonly path: string,
    private readonly isJson: boolean,
  ) {}

  get state(): Polled<unknown> {
    return this.#state;
  }

  get isWatched(): boolean {
    return this.#viewers.size > 0;
  }

  watch(interval: Interval, redraw: () => void): () => void {
    const viewer = Symbol(this.path);
    this.#viewers.set(viewer, { interval, redraw });
    this.wake();
    return () => {
      this.#viewers.delete(viewer);
      if (!this.isWatched) this.#stop();
    };
  }

  /** Fetches as soon as the last answer is older than its interval; not at all while nobody looks. */
  wake(): void {
    clearTimeout(this.#timer);
    if (this.#fetching !== undefined || !this.isWatched || document.hidden) return;
    const interval = this.#interval();
    if (interval === 0 && this.#isSettled && this.#failures === 0) return;
    const age = this.#state.at === undefined || interval === 0 ? Infinity : Date.now() - this.#state.at;
    const wait = this.#failures > 0 ? 0 : Math.max(0, interval - age);
    this.#timer = setTimeout(() => void this.fetch(), wait);
  }

  async fetch(): Promise<void> {
    clearTimeout(this.#timer);
    this.#fetching?.abort();
    const fetching = new AbortController();
    this.#fetching = fetching;
    const isOnce = this.#interval() === 0;
    try {
      const text = await getText(this.path, fetching.signal);
      this.#isSettled = isOnce;
      this.#succeed(text);
    } catch (problem) {
      if (fetching.signal.aborted) return;
      this.#fail(problem);
    }
    if (this.#fetching === fetching) this.#fetching = undefined;
    this.#schedule();
  }

  #interval(): Interval {
    const wanted = [...this.#viewers.values()].map((viewer) => viewer.interval).filter((interval) => interval > 0);
    return wanted.length === 0 ? 0 : Math.min(...wanted);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.isWatched || document.hidden) return;
    const interval = this.#interval();
    // Who asks once asks again only when another answer can be hoped for.
    const isFinal = this.#failures === 0 || this.#state.error?.kind === "missing";
    if (interval === 0 && isFinal) return;
    const base = interval === 0 ? DEFAULT_INTERVAL_MS : interval;
    const wait = Math.min(base * 2 ** Math.min(this.#failures, 4), Math.max(base, LONGEST_INTERVAL_MS));
    this.#timer = setTimeout(() => void this.fetch(), this.#failures === 0 ? base : wait);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#fetching?.abort();
    this.#fetching = undefined;
  }

  #succeed(text: string): void {
    this.#failures = 0;
    connection.value = { isLost: false, lastAnswerAt: Date.now() };
    // The same text is the same object, so that what is derived from it need not be derived again.
    const data = text === this.#text ? this.#state.data : this.isJson ? parse<unknown>(text, this.path) : text;
    this.#text = text;
    this.#show({ data, error: undefined, at: Date.now() });
  }

  #fail(problem: unknown): void {
    this.#failures += 1;
    const error = problem instanceof Failure ? problem : new Failure("failed", String(problem));
    const lastAnswerAt = error.isConnection ? connection.value.lastAnswerAt : Date.now();
    connection.value = { isLost: error.isConnection, lastAnswerAt };
    this.#show({ ...this.#state, error });
  }

  #show(state: Polled<unknown>): void {
    this.#state = state;
    for (const viewer of this.#viewers.values()) viewer.redraw();
  }
}

const entries = new Map<string, Entry>();

function entryOf(path: string, isJson: boolean): Entry {
  const known = entries.get(path);
  if (known !== undefined) {
    // The map is in the order of last use.
    entries.delete(path);
    entries.set(path, known);
    return known;
  }
  const entry = new Entry(path, isJson);
  entries.set(path, entry);
  for (const [other, old] of entries) {
    if (entries.size <= KEPT_ENTRIES) break;
    if (!old.isWatched && other !== path) entries.delete(other);
  }
  return entry;
}

if (typeof document !== "undefined") {
  // Also stops what is due, when the tab was hidden.
  document.addEventListener("visibilitychange", wakeAll);
  addEventListener("online", wakeAll);
}

function wakeAll(): void {
  for (const entry of entries.values()) entry.wake();
}

/** Fetches at once what is in view and whose address begins so; after a change that we made. */
export function refresh(prefix: string): void {
  for (const [path, entry] of entries) {
    if (path.startsWith(prefix) && entry.isWatched) void entry.fetch();
  }
}

/** The JSON at an address; nothing while it is null. An interval of 0 asks once. */
export function usePoll<T>(path: string | null, interval: Interval = DEFAULT_INTERVAL_MS): Polled<T> {
  const [only] = usePolls<T>(useMemo(() => (path === null ? [] : [path]), [path]), interval);
  return only ?? { data: undefined, error: undefined, at: undefined };
}

/** The text at an address. */
export function usePollText(path: string | null, interval: Interval): Polled<string> {
  const [only] = usePolls<string>(useMemo(() => (path === null ? [] : [path]), [path]), interval, false);
  return only ?? { data: undefined, error: undefined, at: undefined };
}

/** The JSON at each of some addresses, in their order. */
export function usePolls<T>(paths: readonly string[], interval: Interval, isJson = true): Polled<T>[] {
  const [, redraw] = useState(0);
  const key = paths.join("\n");
  const shown = useMemo(() => paths.map((path) => entryOf(path, isJson)), [key, isJson]);
  useEffect(() => {
    let isPending = false;
    // Answers that come together are drawn together.
    const draw = () => {
      if (isPending) return;
      isPending = true;
      queueMicrotask(() => {
        isPending = false;
        redraw((count) => count + 1);
      });
    };
    const ends = shown.map((entry) => entry.watch(interval, draw));
    draw();
    return () => ends.forEach((end) => end());
  }, [shown, interval]);
  return shown.map((entry) => entry.state as Polled<T>);
}
