/** Small things that every page is made of. */

import type { ComponentChildren } from "preact";
import { exact, instant, NOTHING, percent, time } from "../model/format";
import type { Level } from "../model/pressure";
import { type Tone, toneOf } from "../model/states";
import type { Loose } from "../model/shapes";

/** A state as a word with a dot of its colour. */
export function Badge({ state, tone = toneOf(state) }: { state: string; tone?: Tone }) {
  return (
    <span class={`badge tone-${tone}`}>
      <span class="dot" aria-hidden="true" />
      {state}
    </span>
  );
}

/** OK, LOW or HIGH. */
export function LevelChip({ level }: { level: Level | null }) {
  if (level === null) return <span class="faint">{NOTHING}</span>;
  return <span class={`level level-${level.toLowerCase()}`}>{level}</span>;
}

/** A part of a whole as a bar; the text beside it says the same. */
export function Meter({ part, label, tone = "accent" }: { part: number | null; label: string; tone?: MeterTone }) {
  const share = part === null ? 0 : Math.min(1, Math.max(0, part));
  return (
    <span
      class={`meter meter-${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      aria-valuetext={part === null ? "not known" : percent(part)}
    >
      <span class="meter-fill" style={{ width: `${share * 100}%` }} />
    </span>
  );
}

export type MeterTone = "accent" | "busy" | "backpressured" | "idle";

/** A percentage with its bar, for a table's cell. */
export function Share({ part, label, tone }: { part: number | null; label: string; tone?: MeterTone }) {
  return (
    <span class="share">
      <span class="share-text">{percent(part)}</span>
      <Meter part={part} label={label} tone={tone ?? "accent"} />
    </span>
  );
}

/** Used of total, with a bar. */
export function Usage({ used, total, show, label }: { used: number; total: number; show: (value: number) => string; label: string }) {
  // A lost node offers nothing: there is no part of it in use.
  if (total <= 0) return <span class="faint">{NOTHING}</span>;
  return (
    <span class="usage">
      <span class="usage-text">
        {show(used)} <span class="faint">/ {show(total)}</span>
      </span>
      <Meter part={used / total} label={label} />
    </span>
  );
}

/** A point in time in the viewer's zone; the tooltip has it in UTC. */
export function Time({ at }: { at: Loose }) {
  const text = time(at);
  if (text === NOTHING) return <span class="faint">{NOTHING}</span>;
  return (
    <time class="nowrap" dateTime={instant(at)} title={instant(at)}>
      {text}
    </time>
  );
}

/** A number in short form; the tooltip has all of it. */
export function Count({ value, show }: { value: Loose; show: (value: Loose) => string }) {
  return <span title={exact(value)}>{show(value)}</span>;
}

/** One figure with its name. */
export function Tile({ name, children, note }: { name: string; children: ComponentChildren; note?: ComponentChildren }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd class="tile-value">{children}</dd>
      {note === undefined ? null : <dd class="tile-note">{note}</dd>}
    </div>
  );
}

export function Tiles({ children, label }: { children: ComponentChildren; label: string }) {
  return (
    <dl class="tiles" aria-label={label}>
      {children}
    </dl>
  );
}

/** Names and values, one below the other. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A part of a page with its heading. */
export function Section({ title, aside, children }: { title: string; aside?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="section" aria-label={title}>
      <div class="section-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** An id in full, easy to select and set in letters of one width. */
export function Id({ children }: { children: string }) {
  return <span class="id">{children}</span>;
}
