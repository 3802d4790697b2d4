/**
 * The colour of a vertex, mixed as Flink does: its base towards red as it is busy, then towards
 * dark grey as it is backpressured. Text on it is black or white, whichever is easier to read.
 */

export type Rgb = readonly [number, number, number];

const BASE: Rgb = [0x5d, 0xb1, 0xff];
const BUSY: Rgb = [0xe5, 0x48, 0x4d];
const BACKPRESSURED: Rgb = [0x4a, 0x4f, 0x57];

/** A vertex that does not run, or of which nothing is known. */
const UNKNOWN: Rgb = [0xa9, 0xb4, 0xc2];

/** A vertex with a failed subtask: darker than a busy one. */
export const FAILED: Rgb = [0x8f, 0x16, 0x2b];

/** Ratios are 0 to 1; null counts as 0, unless neither is known. */
export function vertexColour(busy: number | null, backpressured: number | null): Rgb {
  if (busy === null && backpressured === null) return UNKNOWN;
  return mix(mix(BASE, BUSY, busy ?? 0), BACKPRESSURED, backpressured ?? 0);
}

/** `share` of `to` in `from`. */
export function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const part = Math.min(1, Math.max(0, share));
  const blend = (a: number, b: number) => Math.round(a + (b - a) * part);
  return [blend(from[0], to[0]), blend(from[1], to[1]), blend(from[2], to[2])];
}

/** `#rrggbb`. */
export function hex(colour: Rgb): string {
  return `#${colour.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}

const DARK: Rgb = [0x0b, 0x12, 0x1c];
const LIGHT: Rgb = [0xff, 0xff, 0xff];

/** The colour of text on it. */
export function textOn(colour: Rgb): Rgb {
  return contrast(colour, DARK) >= contrast(colour, LIGHT) ? DARK : LIGHT;
}

/** The contrast ratio of WCAG, 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [one, other] = [luminance(a), luminance(b)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

function luminance(colour: Rgb): number {
  const linear = (channel: number) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
}
