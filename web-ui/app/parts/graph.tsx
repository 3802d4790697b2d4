/**
 * The job graph: one card for each vertex, coloured by its load, and the edges between them. The
 * arrow keys move between the cards, Enter opens one; Tab enters and leaves the graph as a whole.
 */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { FAILED, hex, textOn, vertexColour } from "../model/colour";
import { compact, percent, rate } from "../model/format";
import { CARD, curve, type Direction, layoutPlan, neighbour, type PlacedEdge, plainText, type PlacedVertex, wrap } from "../model/layout";
import { levelOf, type Load, UNKNOWN_LOAD } from "../model/pressure";
import type { JobVertex, PlanNode } from "../model/shapes";
import { isVertexRunning } from "../model/states";

interface GraphProps {
  plan: readonly PlanNode[];
  vertices: readonly JobVertex[];
  loads: ReadonlyMap<string, Load>;
  selected: string | null;
  select: (vertex: string) => void;
}

/** Below this width the graph runs from top to bottom. */
const NARROW = 720;
/** Smaller than this the texts cannot be read; the graph then scrolls. */
const SMALLEST_FIT = 0.75;
const ZOOM_STEP = 1.25;

export function Graph({ plan, vertices, loads, selected, select }: GraphProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const direction: Direction = width < NARROW ? "TB" : "LR";
  // The plan does not change while the job runs; its text is a cheap way to know.
  const planKey = JSON.stringify(plan);
  const picture = useMemo(() => layoutPlan(plan, direction), [planKey, direction]);
  const [zoom, setZoom] = useState(1);
  const [entry, setEntry] = useState<string | null>(null);
  const fit = Math.max(SMALLEST_FIT, Math.min(1, width / Math.max(1, picture.width)));
  const scale = fit * zoom;
  const first = entry ?? selected ?? plan[0]?.id ?? null;
  const onKeyDown = (event: KeyboardEvent) => {
    const from = event.target instanceof Element ? event.target.getAttribute("data-vertex") : null;
    if (from === null) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select(from);
      return;
    }
    const next = neighbour(picture.vertices, from, event.key);
    if (next === null) return;
    event.preventDefault();
    focusVertex(box.current, next);
  };
  return (
    <div class="graph">
      <div class="graph-bar">
        <Legend />
        <div class="button-group" role="group" aria-label="Zoom">
          <button type="button" class="button button-small" aria-label="Zoom out" onClick={() => setZoom(Math.max(0.4, zoom / ZOOM_STEP))}>
            −
          </button>
          <button type="button" class="button button-small" onClick={() => setZoom(1)}>
            Fit
          </button>
          <button type="button" class="button button-small" aria-label="Zoom in" onClick={() => setZoom(Math.min(3, zoom * ZOOM_STEP))}>
            +
          </button>
        </div>
      </div>
      <div class="graph-box" ref={box}>
        <svg
          role="group"
          aria-label="Job graph; arrow keys move between vertices, Enter opens one"
          width={picture.width * scale}
          height={picture.height * scale}
          viewBox={`0 0 ${picture.width} ${picture.height}`}
          onKeyDown={onKeyDown}
        >
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
              <path class="graph-arrow" d="M0,0.5L7.5,4L0,7.5z" />
            </marker>
          </defs>
          {picture.edges.map((edge) => (
            <Edge key={edge.key} edge={edge} />
          ))}
          {picture.vertices.map((place) => (
            <Vertex
              key={place.id}
              place={place}
              node={plan.find((node) => node.id === place.id)}
              vertex={vertices.find((vertex) => vertex.id === place.id)}
              load={loads.get(place.id) ?? UNKNOWN_LOAD}
              isSelected={place.id === selected}
              isEntry={place.id === first}
              select={select}
              enter={setEntry}
            />
          ))}
        </svg>
      </div>
    </div>
  );
}

/** Moves the focus to a vertex of the graph inside a box. */
export function focusVertex(box: ParentNode | null, vertex: string): void {
  box?.querySelector<SVGGElement>(`[data-vertex="${CSS.escape(vertex)}"]`)?.focus();
}

function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(() => Math.min(1400, window.innerWidth - 48));
  useLayoutEffect(() => {
    if (box.current !== null) setWidth(box.current.clientWidth);
  }, []);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return width;
}

function Edge({ edge }: { edge: PlacedEdge }) {
  return (
    <g class="graph-edge">
      <path d={curve(edge.points)} marker-end="url(#arrow)" />
      <text x={edge.labelAt.x} y={edge.labelAt.y + 4} text-anchor="middle">
        {edge.label}
      </text>
    </g>
  );
}

interface VertexProps {
  place: PlacedVertex;
  node: PlanNode | undefined;
  vertex: JobVertex | undefined;
  load: Load;
  isSelected: boolean;
  isEntry: boolean;
  select: (vertex: string) => void;
  enter: (vertex: string) => void;
}

const HEAD = 50;
const PAD = 14;

function Vertex({ place, node, vertex, load, isSelected, isEntry, select, enter }: VertexProps) {
  const name = vertex?.name ?? plainText(node?.description ?? node?.operator ?? place.id);
  const colour = vertex?.status === "FAILED" ? FAILED : vertexColour(load.busy, load.backpressured);
  const parallelism = vertex?.parallelism ?? node?.parallelism ?? 0;
  const lines = wrap(name, 29, 2);
  const right = CARD.width - PAD;
  return (
    <g
      class={`graph-vertex${isSelected ? " is-selected" : ""}`}
      transform={`translate(${place.x} ${place.y})`}
      role="button"
      tabIndex={isEntry ? 0 : -1}
      data-vertex={place.id}
      aria-pressed={isSelected}
      aria-label={spoken(name, parallelism, load, vertex?.status)}
      onClick={() => select(place.id)}
      onFocus={() => enter(place.id)}
    >
      <title>{name}</title>
      <rect class="graph-card" width={CARD.width} height={CARD.height} rx="8" />
      <path class="graph-head" fill={hex(colour)} d={headPath(CARD.width, HEAD)} />
      <text class="graph-name" style={{ fill: hex(textOn(colour)) }} x={PAD} y={lines.length === 1 ? 30 : 21}>
        {lines.map((line, index) => (
          <tspan key={index} x={PAD} dy={index === 0 ? 0 : 17}>
            {line}
          </tspan>
        ))}
      </text>
      <text x={PAD} y={HEAD + 20}>
        Parallelism: {parallelism}
      </text>
      <text class="graph-faint" x={right} y={HEAD + 20} text-anchor="end">
        {vertex?.status ?? ""}
      </text>
      <Pressure load={load} right={right} />
      <text x={PAD} y={HEAD + 68}>
        Busy (max): {percent(load.busy)}
      </text>
      <Bar y={HEAD + 74} width={right - PAD} part={load.busy} kind="busy" />
      <Flow y={HEAD + 95} name="In" total={vertex?.metrics["read-records"]} perSecond={load.inPerSecond} right={right} />
      <Flow y={HEAD + 112} name="Out" total={vertex?.metrics["write-records"]} perSecond={load.outPerSecond} right={right} />
      <rect class="graph-frame" width={CARD.width} height={CARD.height} rx="8" />
    </g>
  );
}

function Pressure({ load, right }: { load: Load; right: number }) {
  const level = load.backpressured === null ? null : levelOf(load.backpressured);
  return (
    <>
      <text x={PAD} y={HEAD + 43}>
        Backpressured (max): {percent(load.backpressured)}
      </text>
      {level === null ? null : (
        <g class={`graph-level level-${level.toLowerCase()}`}>
          <rect x={right - 42} y={HEAD + 30} width="42" height="17" rx="4" />
          <text x={right - 21} y={HEAD + 42.5} text-anchor="middle">
            {level}
          </text>
        </g>
      )}
      <Bar y={HEAD + 50} width={right - PAD} part={load.backpressured} kind="backpressured" />
    </>
  );
}

function Bar({ y, width, part, kind }: { y: number; width: number; part: number | null; kind: string }) {
  return (
    <>
      <rect class="graph-bar-track" x={PAD} y={y} width={width} height="3" rx="1.5" />
      <rect class={`graph-bar-fill fill-${kind}`} x={PAD} y={y} width={width * Math.min(1, part ?? 0)} height="3" rx="1.5" />
    </>
  );
}

interface FlowProps {
  y: number;
  name: string;
  total: number | undefined;
  perSecond: number | null;
  right: number;
}

function Flow({ y, name, total, perSecond, right }: FlowProps) {
  return (
    <>
      <text class="graph-faint" x={PAD} y={y}>
        {name}
      </text>
      <text x={PAD + 30} y={y}>
        {compact(total)} records
      </text>
      <text class="graph-rate" x={right} y={y} text-anchor="end">
        {perSecond === null ? "" : rate(perSecond)}
      </text>
    </>
  );
}

function headPath(width: number, height: number): string {
  return `M0,${height}V8Q0,0 8,0H${width - 8}Q${width},0 ${width},8V${height}z`;
}

function spoken(name: string, parallelism: number, load: Load, status: string | undefined): string {
  if (!isVertexRunning(status)) return `${name}, parallelism ${parallelism}, ${(status ?? "not started").toLowerCase()}`;
  const level = load.backpressured === null ? "" : ` ${levelOf(load.backpressured)}`;
  return `${name}, parallelism ${parallelism}, backpressured ${percent(load.backpressured)}${level}, busy ${percent(load.busy)}`;
}

function Legend() {
  return (
    <div class="legend">
      <span class="legend-item">
        <span class="legend-swatch swatch-idle" />
        idle
      </span>
      <span class="legend-item">
        <span class="legend-swatch swatch-busy" />
        busy
      </span>
      <span class="legend-item">
        <span class="legend-swatch swatch-backpressured" />
        backpressured
      </span>
      <span class="legend-item">
        <span class="legend-swatch swatch-still" />
        not running
      </span>
      <span class="legend-item">
        <span class="legend-swatch swatch-failed" />
        failed
      </span>
    </div>
  );
}
