/**
 * Where the vertices of a job graph stand. The library decides; this file gives it sizes and turns
 * its answer into plain data. The same plan and direction always give the same picture.
 */

import { Graph, layout } from "@dagrejs/dagre";
import type { PlanInput, PlanNode } from "./shapes";

/** The size of a vertex's card, the same for all. */
export const CARD = { width: 272, height: 172 } as const;

/** Left to right, or top to bottom where there is little width. */
export type Direction = "LR" | "TB";

/** `x` and `y` are the upper left corner. */
export interface PlacedVertex {
  id: string;
  x: number;
  y: number;
}

export interface PlacedEdge {
  key: string;
  from: string;
  to: string;
  label: string;
  points: Point[];
  labelAt: Point;
}

export interface Point {
  x: number;
  y: number;
}

export interface Picture {
  width: number;
  height: number;
  vertices: PlacedVertex[];
  edges: PlacedEdge[];
}

const MARGIN = 16;

/** What the picture needs of a vertex. */
export type PlannedVertex = Pick<PlanNode, "id"> & { inputs?: (Pick<PlanInput, "num" | "id"> & Partial<PlanInput>)[] };

/** Lays out a plan. Inputs that name no vertex of the plan are left out. */
export function layoutPlan(nodes: readonly PlannedVertex[], direction: Direction): Picture {
  if (nodes.length === 0) return { width: 0, height: 0, vertices: [], edges: [] };
  const graph = graphOf(nodes, direction);
  layout(graph);
  const size = graph.graph() as { width?: number; height?: number };
  return {
    width: Math.ceil(size.width ?? 0),
    height: Math.ceil(size.height ?? 0),
    vertices: nodes.map((node) => placed(graph, node.id)),
    edges: edgesOf(nodes).map((edge) => routed(graph, edge)),
  };
}

interface PlanEdge {
  key: string;
  from: string;
  to: string;
  label: string;
}

function edgesOf(nodes: readonly PlannedVertex[]): PlanEdge[] {
  const ids = new Set(nodes.map((node) => node.id));
  return nodes.flatMap((node) =>
    (node.inputs ?? [])
      .filter((input) => ids.has(input.id))
      .map((input) => ({
        key: `${input.id}-${node.id}-${input.num}`,
        from: input.id,
        to: node.id,
        label: input.ship_strategy ?? "",
      })),
  );
}

function graphOf(nodes: readonly PlannedVertex[], direction: Direction): Graph {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: direction, nodesep: 36, ranksep: direction === "LR" ? 84 : 56, marginx: MARGIN, marginy: MARGIN });
  for (const node of nodes) graph.setNode(node.id, { width: CARD.width, height: CARD.height });
  for (const edge of edgesOf(nodes)) {
    // Room for the label; about seven units for a letter of its size.
    const label = { width: edge.label.length * 7 + 8, height: 18, labelpos: "c" as const };
    graph.setEdge(edge.from, edge.to, label, edge.key);
  }
  return graph;
}

function placed(graph: Graph, id: string): PlacedVertex {
  const { x, y } = graph.node(id) as Point;
  return { id, x: Math.round(x - CARD.width / 2), y: Math.round(y - CARD.height / 2) };
}

function routed(graph: Graph, edge: PlanEdge): PlacedEdge {
  const route = graph.edge({ v: edge.from, w: edge.to, name: edge.key }) as { points?: Point[]; x?: number; y?: number };
  const points = route.points ?? [];
  const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
  return { ...edge, points, labelAt: { x: route.x ?? middle.x, y: route.y ?? middle.y } };
}

/** A smooth path through points: `M … C …`, straight where there are only two. */
export function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  const at = (point: Point) => `${round(point.x)},${round(point.y)}`;
  if (rest.length < 2) return `M${at(first)}${rest.map((point) => `L${at(point)}`).join("")}`;
  let path = `M${at(first)}`;
  for (let index = 0; index + 1 < points.length; index += 1) {
    const [before, from, to, after] = [points[index - 1], points[index], points[index + 1], points[index + 2]];
    if (from === undefined || to === undefined) break;
    // Catmull and Rom: the tangent at a point is that of its neighbours.
    const leave = { x: from.x + (to.x - (before ?? from).x) / 6, y: from.y + (to.y - (before ?? from).y) / 6 };
    const arrive = { x: to.x - ((after ?? to).x - from.x) / 6, y: to.y - ((after ?? to).y - from.y) / 6 };
    path += `C${at(leave)} ${at(arrive)} ${at(to)}`;
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The vertex that an arrow key leads to: the nearest that lies more that way than aside. */
export function neighbour(vertices: readonly PlacedVertex[], from: string, key: string): string | null {
  const start = vertices.find((vertex) => vertex.id === from);
  const way = WAYS[key];
  if (start === undefined || way === undefined) return null;
  let best: { id: string; cost: number } | null = null;
  for (const vertex of vertices) {
    const [dx, dy] = [vertex.x - start.x, vertex.y - start.y];
    const along = dx * way.x + dy * way.y;
    const aside = Math.abs(dx * way.y) + Math.abs(dy * way.x);
    const cost = along + 2 * aside;
    if (vertex.id !== from && along > 0 && (best === null || cost < best.cost)) best = { id: vertex.id, cost };
  }
  return best?.id ?? null;
}

const WAYS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** A text in at most `lines` lines of about `width` letters; what does not fit ends in `…`. */
export function wrap(text: string, width: number, lines: number): string[] {
  const words = text.split(/\s+/).filter((word) => word !== "").flatMap((word) => pieces(word, width));
  const wrapped: string[] = [];
  let line = "";
  for (const word of words) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > width && line !== "") {
      wrapped.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  if (line !== "") wrapped.push(line);
  if (wrapped.length <= lines) return wrapped;
  const kept = wrapped.slice(0, lines);
  const last = kept[lines - 1] ?? "";
  kept[lines - 1] = `${last.length >= width ? last.slice(0, width - 1) : last}…`;
  return kept;
}

function pieces(word: string, width: number): string[] {
  const parts: string[] = [];
  for (let at = 0; at < word.length; at += width) parts.push(word.slice(at, at + width));
  return parts;
}

/** A vertex's text as the plan has it, without its markup. */
export function plainText(description: string): string {
  return description
    .replace(/<br\s*\/?>/g, " ")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#0?39;/g, "'")
    .replace(/&amp;/g, "&")
    .trim();
}
