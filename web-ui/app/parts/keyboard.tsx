/** Keys that work on every page, and the dialog that tells them. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Dialog } from "./dialog";

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "Search"],
  ["g then o, a, j, n", "Overview, applications, jobs, nodes"],
  ["↑ ↓", "Between the links of a table"],
  ["← → ↑ ↓", "Between the vertices of the job graph"],
  ["Enter", "Open what has the focus"],
  ["Esc", "Close a panel or dialog, leave a search"],
  ["?", "This list"],
];

const PLACES: Record<string, string> = { o: "#/", a: "#/applications", j: "#/jobs", n: "#/nodes" };

/** The longest time between `g` and the next key. */
const CHORD_MS = 1_500;

export function useKeyboard(): { open: () => void; dialog: ComponentChildren } {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    let chordUntil = 0;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
      if (isField(event.target)) {
        if (event.key === "Escape") leave(event.target as HTMLElement);
        return;
      }
      const place = PLACES[event.key];
      if (event.timeStamp < chordUntil && place !== undefined) location.hash = place;
      chordUntil = event.key === "g" ? event.timeStamp + CHORD_MS : 0;
      if (event.key === "/") focusSearch(event);
      if (event.key === "?") setOpen(true);
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  const dialog = isOpen ? <Help close={() => setOpen(false)} /> : null;
  return { open: () => setOpen(true), dialog };
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input:not([type=checkbox]), select, textarea");
}

function leave(field: HTMLElement): void {
  field.blur();
}

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>("main input[type=search]");
  if (search === null) return;
  event.preventDefault();
  search.focus();
  search.select();
}

function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
