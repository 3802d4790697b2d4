/**
 * Numbers, sizes, durations and times as text for people. What is not known is a dash. Times are
 * those of the viewer's clock and zone; nothing here depends on a locale, so columns line up.
 */

import type { Loose } from "./shapes";

/** For what is not known or has not happened. */
export const NOTHING = "–";

/** A number, or null for what Flink sends when it does not know: null, `"NaN"`, missing. */
export function known(value: Loose): number | null {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** `1234567` as `1,234,567`. */
export function exact(value: Loose): string {
  const number = known(value);
  if (number === null) return NOTHING;
  const [whole = "", part] = String(Math.round(number * 1000) / 1000).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** In full up to 9,999, then the three digits that count: `45.6k`, `1.23M`. */
export function compact(value: Loose): string {
  const number = known(value);
  if (number === null) return NOTHING;
  if (Math.abs(number) < 10_000 && Number.isInteger(number)) return exact(number);
  return scaled(number, 1000, ["", "k", "M", "G", "T", "P"]);
}

/** Records per second. */
export function rate(value: Loose): string {
  const number = known(value);
  return number === null ? NOTHING : `${compact(number)}/s`;
}

/** Bytes, in powers of 1024. */
export function bytes(value: Loose): string {
  const number = known(value);
  if (number === null || number < 0) return NOTHING;
  return scaled(number, 1024, [" B", " KiB", " MiB", " GiB", " TiB", " PiB"]);
}

/** YARN's "MB", which are MiB. */
export function mebibytes(value: Loose): string {
  const number = known(value);
  return number === null || number < 0 ? NOTHING : bytes(number * 1024 * 1024);
}

function scaled(value: number, base: number, units: string[]): string {
  let rest = Math.abs(value);
  let unit = 0;
  // 999.5 would be rounded to a fourth digit.
  while (rest >= (unit === 0 ? base : Math.min(base, 999.5)) && unit < units.length - 1) {
    rest /= base;
    unit += 1;
  }
  const sign = value < 0 ? "-" : "";
  return `${sign}${threeDigits(rest)}${units[unit] ?? ""}`;
}

function threeDigits(value: number): string {
  if (Number.isInteger(value)) return String(value);
  if (value >= 99.95) return value.toFixed(0);
  if (value >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

/** How long something ran, in two units: `3m 05s`. Below a second: `532ms`. */
export function duration(value: Loose): string {
  const ms = known(value);
  if (ms === null || ms < 0) return NOTHING;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days}d ${two(hours)}h`;
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  if (minutes > 0) return `${minutes}m ${two(seconds % 60)}s`;
  return `${seconds}s`;
}

/** How long something took, when parts of a second count: `1.24s`. */
export function precise(value: Loose): string {
  const ms = known(value);
  if (ms === null || ms < 0) return NOTHING;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(2)}s` : duration(ms);
}

/** A ratio from 0 to 1 as `87%`; never above 100. */
export function percent(value: Loose): string {
  const ratio = known(value);
  return ratio === null ? "N/A" : `${Math.min(100, Math.max(0, Math.round(ratio * 100)))}%`;
}

/** Milliseconds since 1970 with the zone: `2026-03-01 12:30:05 UTC`, `2026-03-01 13:30:05 +01:00`. */
export function time(value: Loose): string {
  const ms = known(value);
  if (ms === null || ms <= 0) return NOTHING;
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return NOTHING;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)} ${zone(-date.getTimezoneOffset())}`;
}

/** Minutes east of Greenwich as `UTC` or `+05:30`. */
export function zone(minutes: number): string {
  if (minutes === 0) return "UTC";
  const distance = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(distance / 60))}:${two(distance % 60)}`;
}

/** Milliseconds since 1970 as `12:30:05`. */
export function clock(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The same with its zone, for tooltips. */
export function instant(value: Loose): string {
  const ms = known(value);
  if (ms === null || ms <= 0 || ms > 8.64e15) return "";
  return new Date(ms).toISOString();
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The beginning of an id, where the whole one is in reach. */
export function shortId(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}

/** `container_1_0001_01_000002` as `…_01_000002`: what tells containers of one application apart. */
export function shortContainer(id: string): string {
  const parts = id.split("_");
  return parts.length > 3 ? `…_${parts.slice(-2).join("_")}` : id;
}

/** One of many: `1 node`, `2 nodes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${exact(count)} ${count === 1 ? one : many}`;
}
