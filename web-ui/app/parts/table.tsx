/**
 * A table of rows that come and go. Sorted by a click or Enter on a heading; the arrow keys move
 * between the links of neighbouring rows. Wide tables scroll by themselves, not the page.
 */

import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Empty } from "./notices";

export interface Column<Row> {
  title: string;
  show: (row: Row) => ComponentChildren;
  /** What to sort by; without it the heading is no button. */
  by?: (row: Row) => number | string;
  /** Numbers stand to the right. */
  isNumber?: boolean;
  /** For screen readers, where the title is short. */
  description?: string;
  class?: string;
}

interface TableProps<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string | number;
  /** What to say when there are no rows. */
  empty: ComponentChildren;
  /** The title of the column to sort by at first, with `-` before it for descending. */
  sorted?: string;
  /** Rows shown at first; a button shows more. */
  limit?: number;
}

const LIMIT = 100;

export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, keyOf, limit = LIMIT } = props;
  const [sort, setSort] = useState(props.sorted ?? "");
  const [shown, setShown] = useState(limit);
  if (props.rows.length === 0) {
    return typeof props.empty === "string" ? <Empty title={props.empty} /> : <>{props.empty}</>;
  }
  const rows = sortRows(props.rows, columns, sort);
  const visible = rows.slice(0, shown);
  return (
    <>
      <ScrollBox label={caption}>
        <table onKeyDown={moveBetweenRows}>
          <caption class="hidden">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <Heading key={column.title} column={column} sort={sort} setSort={setSort} />
              ))}
            </tr>
          </thead>
          <tbody>
            {visible.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column) => (
                  <td key={column.title} class={classOf(column)}>
                    {column.show(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
      {rows.length > visible.length ? (
        <p class="more">
          <button type="button" class="button" onClick={() => setShown(shown + limit)}>
            Show more ({rows.length - visible.length} left)
          </button>
        </p>
      ) : null}
    </>
  );
}

function classOf<Row>(column: Column<Row>): string {
  return [column.isNumber === true ? "number" : "", column.class ?? ""].join(" ").trim();
}

function Heading<Row>({ column, sort, setSort }: { column: Column<Row>; sort: string; setSort: (sort: string) => void }) {
  if (column.by === undefined) {
    return (
      <th scope="col" class={classOf(column)} title={column.description}>
        {column.title}
      </th>
    );
  }
  const isUp = sort === column.title;
  const isDown = sort === `-${column.title}`;
  return (
    <th scope="col" class={classOf(column)} aria-sort={isUp ? "ascending" : isDown ? "descending" : "none"}>
      <button
        type="button"
        class="sort"
        title={column.description}
        onClick={() => setSort(isUp ? `-${column.title}` : column.title)}
      >
        {column.title}
        <span class="sort-mark" aria-hidden="true">
          {isUp ? "↑" : isDown ? "↓" : ""}
        </span>
      </button>
    </th>
  );
}

/** By a column's title, `-` before it for descending; rows of equal rank keep their order. */
export function sortRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sort: string): readonly Row[] {
  const isDown = sort.startsWith("-");
  const by = columns.find((column) => column.title === sort.replace(/^-/, ""))?.by;
  if (by === undefined) return rows;
  const sign = isDown ? -1 : 1;
  return [...rows].sort((a, b) => sign * compare(by(a), by(b)));
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

const LINKS = "a[href], button";

/** Up and Down lead from a link to the one above or below it. */
function moveBetweenRows(event: TargetedKeyboardEvent<HTMLTableElement>): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const from = event.target instanceof Element ? event.target.closest("td, th") : null;
  const row = from?.closest("tr");
  if (from === null || row === null || row === undefined) return;
  const rows = [...event.currentTarget.querySelectorAll("tr")];
  const next = rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
  const column = [...row.children].indexOf(from);
  const link = next?.children[column]?.querySelector<HTMLElement>(LINKS) ?? next?.querySelector<HTMLElement>(LINKS);
  if (link === null || link === undefined) return;
  event.preventDefault();
  link.focus();
}

/** A box that scrolls sideways. It marks the sides on which there is more, and then the keyboard reaches it. */
export function ScrollBox({ label, children }: { label: string; children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const [sides, setSides] = useState("");
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = () => setSides(hiddenSides(element));
    const observer = new ResizeObserver(look);
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  return (
    <div class={`scroll-box${sides}`} ref={box} role="region" aria-label={label} tabIndex={sides === "" ? undefined : 0}>
      {children}
    </div>
  );
}

/** The classes of the sides on which a box has hidden content. */
function hiddenSides({ scrollLeft, scrollWidth, clientWidth }: HTMLElement): string {
  const left = scrollLeft > 1 ? " goes-on-left" : "";
  const right = scrollLeft + clientWidth < scrollWidth - 1 ? " goes-on-right" : "";
  return left + right;
}
