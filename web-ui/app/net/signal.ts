/** A value that many read and that tells them when it changes. */

import { useEffect, useState } from "preact/hooks";

export class Signal<T> {
  readonly #listeners = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` after each change, until the answer is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** A signal's value in a component. */
export function useSignal<T>(signal: Signal<T>): T {
  const [, redraw] = useState(0);
  useEffect(() => {
    let seen = signal.value;
    const look = () => {
      if (!Object.is(seen, signal.value)) {
        seen = signal.value;
        redraw((count) => count + 1);
      }
    };
    // It may have changed between drawing and now.
    redraw((count) => count + 1);
    return signal.subscribe(look);
  }, [signal]);
  return signal.value;
}
