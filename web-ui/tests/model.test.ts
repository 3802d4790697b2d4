/** The page's own arithmetic: texts, colours, levels, addresses, layout. No browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { contrast, hex, mix, type Rgb, textOn, vertexColour } from "../app/model/colour";
import * as format from "../app/model/format";
import { CARD, curve, layoutPlan, neighbour, plainText, wrap, type PlannedVertex } from "../app/model/layout";
import { levelOf, loadOf, serverLevel, UNKNOWN_LOAD } from "../app/model/pressure";
import { href, JOB_TABS, PANES, parseRoute, type Route, takeToken, tokenInText } from "../app/model/route";
import { isApplicationEnded, isJobEnded, toneOf } from "../app/model/states";
import { messageOf } from "../app/net/client";
import { proxied } from "../app/net/place";
import { partsOf, taskOf } from "../app/pages/exceptions";
import { sparkPoints } from "../app/pages/metrics";
import { applicationOfContainer } from "../app/pages/nodes";
import { watermarkRows } from "../app/pages/vertex";
import { type Column, sortRows } from "../app/parts/table";

/** Each input with what is expected of it. */
function table<In, Out>(of: (input: In) => Out, rows: readonly (readonly [In, Out])[]): void {
  for (const [input, expected] of rows) assert.deepEqual(of(input), expected, JSON.stringify(input));
}

test("what is not known is never a number", () => {
  table(format.known, [[null, null], [undefined, null], ["NaN", null], ["", null], ["12.5", 12.5], [0, 0]]);
  for (const show of [format.exact, format.compact, format.rate, format.bytes, format.mebibytes, format.duration, format.precise]) {
    assert.equal(show("NaN"), "–");
    assert.equal(show(null), "–");
  }
  assert.equal(format.percent("NaN"), "N/A");
});

test("numbers keep the digits that count", () => {
  table(format.exact, [[1234567, "1,234,567"], [999, "999"], [-1234, "-1,234"], [1234.5678, "1,234.568"], [0, "0"]]);
  table(format.compact, [[9999, "9,999"], [10000, "10k"], [12345, "12.3k"], [999499, "999k"], [999500, "1.00M"], [1.5, "1.50"], [123.4, "123"], [-45678, "-45.7k"], [4.2e9, "4.20G"]]);
  table(format.rate, [[212400, "212k/s"], [0, "0/s"], [3.2, "3.20/s"]]);
  table(format.percent, [[0, "0%"], [0.925, "93%"], [1.7, "100%"], [-1, "0%"]]);
});

test("sizes are in powers of 1024", () => {
  table(format.bytes, [[0, "0 B"], [1023, "1023 B"], [1024, "1 KiB"], [1536, "1.50 KiB"], [5 * 1024 ** 3, "5 GiB"], [-1, "–"]]);
  table(format.mebibytes, [[1024, "1 GiB"], [1536, "1.50 GiB"], [-1, "–"]]);
});

test("durations have two units, short ones more precision where it is asked for", () => {
  table(format.duration, [[0, "0ms"], [532, "532ms"], [59_999, "59s"], [185_000, "3m 05s"], [3_720_000, "1h 02m"], [93_600_000, "1d 02h"], [-1, "–"]]);
  table(format.precise, [[64, "64ms"], [1_240, "1.24s"], [61_000, "1m 01s"], [-1, "–"]]);
});

test("zones are UTC or a distance from it", () => {
  for (const [minutes, expected] of [[0, "UTC"], [60, "+01:00"], [330, "+05:30"], [-210, "-03:30"]] as const) {
    assert.equal(format.zone(minutes), expected);
  }
});

test("times that have not come are a dash", () => {
  table(format.time, [[0, "–"], [-1, "–"], ["9223372036854775807", "–"]]);
  assert.match(format.time(1_760_000_000_000), /^2025-10-\d\d \d\d:\d\d:20 (UTC|[+-]\d\d:\d\d)$/);
  assert.equal(format.instant(1_760_000_000_000), "2025-10-09T08:53:20.000Z");
});

test("levels are Flink's, and both bounds belong to the lower one", () => {
  table(levelOf, [[0, "OK"], [0.1, "OK"], [0.100001, "LOW"], [0.5, "LOW"], [0.500001, "HIGH"], [1, "HIGH"]]);
  assert.equal(serverLevel({ subtask: 0, ratio: 0.9, idleRatio: 0, busyRatio: 0, "backpressure-level": "low" }), "LOW");
  assert.equal(serverLevel({ subtask: 0, ratio: 0.9, idleRatio: 0, busyRatio: 0 }), "HIGH");
  assert.equal(serverLevel({ status: "deprecated", "backpressure-level": null }), null);
});

test("a vertex is as loaded as its worst subtask, and its rates are sums", () => {
  const load = loadOf([
    { id: "backPressuredTimeMsPerSecond", min: 0, max: 930, avg: 465, sum: 930 },
    { id: "busyTimeMsPerSecond", max: null },
    { id: "idleTimeMsPerSecond", max: 1200 },
    { id: "numRecordsInPerSecond", max: 5, sum: 9 },
  ]);
  assert.deepEqual(load, { backpressured: 0.93, busy: null, idle: 1, inPerSecond: 9, outPerSecond: null });
  assert.deepEqual(loadOf([]), UNKNOWN_LOAD);
  assert.deepEqual(loadOf(undefined), UNKNOWN_LOAD);
});

test("colours go from blue over red to dark grey", () => {
  assert.equal(hex(vertexColour(0, 0)), "#5db1ff");
  assert.equal(hex(vertexColour(1, 0)), "#e5484d");
  assert.equal(hex(vertexColour(1, 1)), "#4a4f57");
  assert.equal(hex(vertexColour(0.3, 1)), "#4a4f57");
  assert.notDeepEqual(vertexColour(null, null), vertexColour(0, 0));
  assert.deepEqual(mix([0, 0, 0], [10, 20, 30], 0.5), [5, 10, 15]);
  assert.deepEqual(mix([0, 0, 0], [10, 20, 30], 7), [10, 20, 30]);
});

test("text on every colour of a vertex can be read", () => {
  const shares = Array.from({ length: 21 }, (_, index) => index / 20);
  for (const busy of shares) {
    for (const backpressured of shares) {
      const colour: Rgb = vertexColour(busy, backpressured);
      assert.ok(contrast(colour, textOn(colour)) >= 4.3, `${hex(colour)} at ${busy}, ${backpressured}`);
    }
  }
});

test("states have their tone, and only final ones are final", () => {
  table(toneOf, [["RUNNING", "good"], ["failed", "bad"], ["ACCEPTED", "wait"], ["???", "quiet"]]);
  table(isJobEnded, [["FINISHED", true], ["CANCELED", true], ["FAILED", true], ["CANCELLING", false], ["SUSPENDED", false], [undefined, false]]);
  table(isApplicationEnded, [["KILLED", true], ["RUNNING", false]]);
});

test("each address leads back to its page", () => {
  const job = { page: "job", application: "application_1_0001", job: "ab", tab: "overview", vertex: null, pane: "subtasks" } as const;
  const routes: Route[] = [
    { page: "overview" },
    { page: "applications", show: "ended", search: "a b&c" },
    { page: "application", application: "application_1_0001" },
    { page: "jobs" },
    job,
    { ...job, application: null, vertex: "v1", pane: "backpressure" },
    ...JOB_TABS.map((tab) => ({ ...job, tab })),
    ...PANES.map((pane) => ({ ...job, vertex: "v", pane })),
    { page: "nodes" },
    { page: "node", node: "127.0.0.1:40961" },
    { page: "node", node: "[::1]:40961" },
    { page: "log", node: "h:1", container: "container_1_0001_01_000002", file: "stdout.1" },
  ];
  for (const route of routes) assert.deepEqual(parseRoute(href(route)), route, href(route));
});

test("addresses that nobody made are pages that are missing, or their nearest", () => {
  table(parseRoute, [
    ["", { page: "overview" }],
    ["#/what", { page: "missing", path: "/what" }],
    ["#/logs/h", { page: "missing", path: "/logs/h" }],
    ["#/nodes/%E0%A4%A", { page: "node", node: "%E0%A4%A" }],
  ]);
  const odd = parseRoute("#/jobs/ab/nonsense?pane=nonsense");
  assert.ok(odd.page === "job" && odd.tab === "overview" && odd.pane === "subtasks");
});

test("a token is taken out of the address and leaves the rest", () => {
  table(takeToken, [
    ["#token=abc", { token: "abc", rest: "#/" }],
    ["#/?token=abc", { token: "abc", rest: "#/" }],
    ["#/jobs/1?vertex=2&token=abc", { token: "abc", rest: "#/jobs/1?vertex=2" }],
    ["#/jobs", { token: null, rest: "#/jobs" }],
    ["#token=", { token: null, rest: "#/" }],
    ["", { token: null, rest: "" }],
  ]);
});

test("what is pasted is a token or an address with one", () => {
  table(tokenInText, [
    [" abc \n", "abc"],
    ["http://127.0.0.1:8088/#token=abc", "abc"],
    ["http://127.0.0.1:8088/#/jobs?token=abc", "abc"],
    ["http://127.0.0.1:8088/", null],
    ["two words", null],
    ["", null],
  ]);
});

test("errors of both kinds are read", () => {
  assert.equal(messageOf('{"errors":["no job [WEIR-AM-0001]"]}', 404), "no job [WEIR-AM-0001]");
  assert.equal(messageOf('{"RemoteException":{"message":"no such app","code":"X"}}', 404), "no such app");
  assert.equal(messageOf("<html>", 502), "the server answered with status 502");
});

test("the proxy shows in the path", () => {
  table(proxied, [
    ["/proxy/application_1_0001/", "application_1_0001"],
    ["/below/proxy/application_1_0001", "application_1_0001"],
    ["/", null],
    ["/proxy/other/", null],
  ]);
});

test("containers name their application", () => {
  table(applicationOfContainer, [
    ["container_1700000000000_0007_01_000002", "application_1700000000000_0007"],
    ["container_e12_1700000000000_0007_01_000002", "application_1700000000000_0007"],
    ["nonsense", null],
  ]);
});

test("failures are taken apart", () => {
  table(taskOf, [
    ["Map -> Filter (2/4)", { task: "Map -> Filter", subtask: "2 of 4" }],
    ["Map (at 3) (1/1)", { task: "Map (at 3)", subtask: "1 of 1" }],
    ["Master", { task: "Master", subtask: "" }],
    [null, { task: "", subtask: "" }],
  ]);
  const entry = { exceptionName: "WEIR-TASK-0001" };
  table((stacktrace: string) => partsOf({ ...entry, stacktrace }), [
    ["WEIR-TASK-0001: it broke\n  in operator Count\n\nthe log\n  indented", { title: "it broke", operator: "Count", detail: "the log\n  indented" }],
    ["it broke: badly\nmore\n  in operator Count", { title: "it broke: badly", operator: "Count", detail: "more" }],
    ["WEIR-TASK-0001: it broke", { title: "it broke", operator: "", detail: "" }],
    ["", { title: "WEIR-TASK-0001", operator: "", detail: "" }],
  ]);
});

test("watermarks come in the order of subtasks and keep all digits", () => {
  const rows = watermarkRows([{ id: "10.currentInputWatermark", value: "9223372036854775806" }, { id: "2.currentInputWatermark" }, { id: "x" }]);
  assert.deepEqual(rows, [
    { subtask: 2, value: "-9223372036854775808" },
    { subtask: 10, value: "9223372036854775806" },
  ]);
});

test("rows are sorted by number or text and keep their order where equal", () => {
  const columns: Column<{ n: number; t: string }>[] = [
    { title: "N", show: () => null, by: (row) => row.n },
    { title: "T", show: () => null, by: (row) => row.t },
  ];
  const rows = [{ n: 10, t: "b" }, { n: 9, t: "b" }, { n: 100, t: "a" }];
  assert.deepEqual(sortRows(rows, columns, "N").map((row) => row.n), [9, 10, 100]);
  assert.deepEqual(sortRows(rows, columns, "-N").map((row) => row.n), [100, 10, 9]);
  assert.deepEqual(sortRows(rows, columns, "T").map((row) => row.n), [100, 10, 9]);
  assert.equal(sortRows(rows, columns, "nothing"), rows);
});

test("sparks fill their box and need two values", () => {
  assert.equal(sparkPoints([1]), "");
  assert.equal(sparkPoints([0, 10]), "0.0,31.0 160.0,1.0");
  assert.equal(sparkPoints([5, 5]), "0.0,16.0 160.0,16.0");
});

const PLAN: PlannedVertex[] = [
  { id: "a" },
  { id: "b", inputs: [{ num: 0, id: "a", ship_strategy: "HASH" }] },
  { id: "c", inputs: [{ num: 0, id: "a", ship_strategy: "FORWARD" }] },
  { id: "d", inputs: [{ num: 0, id: "b" }, { num: 1, id: "c" }, { num: 2, id: "not there" }] },
];

test("vertices do not overlap and edges run forward", () => {
  for (const direction of ["LR", "TB"] as const) {
    const picture = layoutPlan(PLAN, direction);
    assert.deepEqual(layoutPlan(PLAN, direction), picture, "the same plan gives the same picture");
    for (const one of picture.vertices) {
      assert.ok(one.x >= 0 && one.y >= 0 && one.x + CARD.width <= picture.width && one.y + CARD.height <= picture.height);
      for (const other of picture.vertices) {
        if (one === other) continue;
        const isApart = Math.abs(one.x - other.x) >= CARD.width || Math.abs(one.y - other.y) >= CARD.height;
        assert.ok(isApart, `${one.id} and ${other.id}`);
      }
    }
    assert.deepEqual(picture.edges.map((edge) => [edge.from, edge.to, edge.label]), [["a", "b", "HASH"], ["a", "c", "FORWARD"], ["b", "d", ""], ["c", "d", ""]]);
    const place = (id: string) => picture.vertices.find((vertex) => vertex.id === id);
    const along = direction === "LR" ? "x" : "y";
    for (const edge of picture.edges) assert.ok((place(edge.from)?.[along] ?? 0) < (place(edge.to)?.[along] ?? 0));
  }
});

test("a self-join keeps both of its edges", () => {
  const nodes: PlannedVertex[] = [{ id: "a" }, { id: "b", inputs: [{ num: 0, id: "a" }, { num: 1, id: "a" }] }];
  assert.equal(new Set(layoutPlan(nodes, "LR").edges.map((edge) => edge.key)).size, 2);
});

test("no plan is no picture", () => {
  assert.deepEqual(layoutPlan([], "LR"), { width: 0, height: 0, vertices: [], edges: [] });
});

test("arrow keys lead along the picture", () => {
  const { vertices } = layoutPlan(PLAN, "LR");
  const next = neighbour(vertices, "a", "ArrowRight");
  assert.ok(next === "b" || next === "c");
  assert.equal(neighbour(vertices, next, "ArrowLeft"), "a");
  const upper = (vertices.find((vertex) => vertex.id === "b")?.y ?? 0) < (vertices.find((vertex) => vertex.id === "c")?.y ?? 0) ? "b" : "c";
  const lower = upper === "b" ? "c" : "b";
  assert.equal(neighbour(vertices, upper, "ArrowDown"), lower);
  assert.equal(neighbour(vertices, "a", "ArrowLeft"), null);
  assert.equal(neighbour(vertices, "a", "x"), null);
});

test("curves go through their ends", () => {
  assert.equal(curve([]), "");
  assert.equal(curve([{ x: 0, y: 0 }, { x: 4, y: 0 }]), "M0,0L4,0");
  assert.match(curve([{ x: 0, y: 0 }, { x: 5, y: 5 }, { x: 10, y: 0 }]), /^M0,0C.* 5,5C.* 10,0$/);
});

test("long names are wrapped, and cut where there is no more room", () => {
  table(([text, width, lines]: [string, number, number]) => wrap(text, width, lines), [
    [["short", 10, 2], ["short"]],
    [["two words here", 9, 2], ["two words", "here"]],
    [["abcdefghij", 4, 2], ["abcd", "efg…"]],
    [["one two three four", 4, 2], ["one", "two…"]],
    [["", 4, 2], []],
  ]);
});

test("descriptions lose their markup, once", () => {
  assert.equal(plainText("Source -&gt; Map<br/>"), "Source -> Map");
  assert.equal(plainText("a &amp;lt; b"), "a &lt; b");
});
