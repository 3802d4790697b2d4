/** Metrics of a vertex, picked by name: the last value of each and how it went since it is shown. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Empty, Loaded } from "../parts/notices";
import { exact, known } from "../model/format";
import type { Metric } from "../model/shapes";
import { usePoll } from "../net/poll";

const MOST_OFFERED = 200;
const KEPT_VALUES = 60;

export function MetricsPane({ path, interval }: { path: string; interval: number }) {
  const [picked, setPicked] = useState<readonly string[]>([]);
  const [search, setSearch] = useState("");
  const names = usePoll<Metric[]>(`${path}/metrics`, 0);
  const toggle = (id: string) => setPicked(picked.includes(id) ? picked.filter((one) => one !== id) : [...picked, id]);
  return (
    <Loaded from={names} what="the metrics" missing={<Empty title="No metrics on record" />}>
      {(data) =>
        data.length === 0 ? (
          <Empty title="No metrics">Tasks report metrics while they run.</Empty>
        ) : (
          <div class="metrics">
            <Picker names={data.map((metric) => metric.id)} picked={picked} search={search} setSearch={setSearch} toggle={toggle} />
            {picked.length === 0 ? (
              <Empty title="Nothing picked">Pick metrics on the list to watch them here.</Empty>
            ) : (
              <Watched path={path} interval={interval} picked={picked} remove={toggle} />
            )}
          </div>
        )
      }
    </Loaded>
  );
}

interface PickerProps {
  names: readonly string[];
  picked: readonly string[];
  search: string;
  setSearch: (search: string) => void;
  toggle: (id: string) => void;
}

function Picker({ names, picked, search, setSearch, toggle }: PickerProps) {
  const found = names.filter((name) => name.toLowerCase().includes(search.toLowerCase())).sort();
  return (
    <div class="picker">
      <input
        type="search"
        class="search"
        placeholder={`Search ${names.length} metrics`}
        aria-label="Search metrics"
        aria-keyshortcuts="/"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
      />
      <ul aria-label="Metrics to pick">
        {found.slice(0, MOST_OFFERED).map((name) => (
          <li key={name}>
            <label class="check">
              <input type="checkbox" checked={picked.includes(name)} onChange={() => toggle(name)} />
              <span class="id">{name}</span>
            </label>
          </li>
        ))}
      </ul>
      {found.length > MOST_OFFERED ? <p class="faint">{found.length - MOST_OFFERED} more: search for them</p> : null}
    </div>
  );
}

function Watched({ path, interval, picked, remove }: { path: string; interval: number; picked: readonly string[]; remove: (id: string) => void }) {
  const answer = usePoll<Metric[]>(`${path}/metrics?get=${picked.map(encodeURIComponent).join(",")}`, interval);
  const histories = useHistories(answer.data, answer.at);
  return (
    <ul class="watched" aria-label="Picked metrics">
      {picked.map((id) => (
        <li key={id} class="tile">
          <div class="tile-head">
            <span class="id" title={id}>
              {id}
            </span>
            <button type="button" class="button button-small" aria-label={`Remove ${id}`} onClick={() => remove(id)}>
              ×
            </button>
          </div>
          <span class="tile-value">{valueText(answer.data?.find((metric) => metric.id === id)?.value)}</span>
          <Spark values={histories.get(id) ?? []} />
        </li>
      ))}
    </ul>
  );
}

function valueText(value: string | null | undefined): string {
  return value === undefined || value === null ? "–" : known(value) === null ? value : exact(value);
}

/** The values seen of each metric, oldest first. */
function useHistories(metrics: Metric[] | undefined, at: number | undefined): Map<string, number[]> {
  const histories = useRef(new Map<string, number[]>());
  const [, redraw] = useState(0);
  useEffect(() => {
    for (const metric of metrics ?? []) {
      const value = known(metric.value);
      if (value === null) continue;
      const values = histories.current.get(metric.id) ?? [];
      histories.current.set(metric.id, [...values, value].slice(-KEPT_VALUES));
    }
    redraw((count) => count + 1);
  }, [metrics, at]);
  return histories.current;
}

const SPARK = { width: 160, height: 32 } as const;

function Spark({ values }: { values: readonly number[] }) {
  return (
    <svg class="spark" viewBox={`0 0 ${SPARK.width} ${SPARK.height}`} preserveAspectRatio="none" aria-hidden="true">
      <polyline points={sparkPoints(values)} />
    </svg>
  );
}

/** Points of a line through values, which fills the box. */
export function sparkPoints(values: readonly number[]): string {
  if (values.length < 2) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const spread = high - low || 1;
  return values
    .map((value, index) => {
      const x = (index / (values.length - 1)) * SPARK.width;
      const y = high === low ? SPARK.height / 2 : 1 + (1 - (value - low) / spread) * (SPARK.height - 2);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}
