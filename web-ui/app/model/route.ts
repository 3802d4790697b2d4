/**
 * Addresses within the page: everything after `#`. One `Route` for each page; parsing never fails,
 * what is not known becomes `missing`. Ids are percent-encoded, so node ids may hold colons.
 */

export const JOB_TABS = ["overview", "checkpoints", "exceptions", "taskmanagers", "configuration"] as const;
export type JobTab = (typeof JOB_TABS)[number];

export const PANES = ["subtasks", "backpressure", "watermarks", "metrics", "hosts"] as const;
export type Pane = (typeof PANES)[number];

export type Route =
  | { page: "overview" }
  | { page: "applications"; show: Show; search: string }
  | { page: "application"; application: string }
  | { page: "jobs" }
  | JobRoute
  | { page: "nodes" }
  | { page: "node"; node: string }
  | { page: "log"; node: string; container: string; file: string }
  | { page: "missing"; path: string };

/** `application` is null where the app master itself serves the page. */
export interface JobRoute {
  page: "job";
  application: string | null;
  job: string;
  tab: JobTab;
  vertex: string | null;
  pane: Pane;
}

export type Show = "all" | "running" | "ended";

/** Of `location.hash`, with or without its `#`. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  const parameters = new URLSearchParams(query);
  const [first, second, third, fourth, fifth] = parts;
  switch (first) {
    case undefined:
      return { page: "overview" };
    case "applications":
      return second === undefined ? { page: "applications", show: showOf(parameters), search: parameters.get("search") ?? "" }
        : third === undefined ? { page: "application", application: second }
        : third === "jobs" && fourth !== undefined ? jobRoute(second, fourth, fifth, parameters)
        : { page: "missing", path };
    case "jobs":
      return second === undefined ? { page: "jobs" } : jobRoute(null, second, third, parameters);
    case "nodes":
      return second === undefined ? { page: "nodes" } : { page: "node", node: second };
    case "logs":
      if (second !== undefined && third !== undefined) return { page: "log", node: second, container: third, file: fourth ?? "stdout" };
  }
  return { page: "missing", path };
}

function jobRoute(application: string | null, job: string, tab: string | undefined, parameters: URLSearchParams): JobRoute {
  return {
    page: "job",
    application,
    job,
    tab: JOB_TABS.find((known) => known === tab) ?? "overview",
    vertex: parameters.get("vertex"),
    pane: PANES.find((known) => known === parameters.get("pane")) ?? "subtasks",
  };
}

function showOf(parameters: URLSearchParams): Show {
  const show = parameters.get("show");
  return show === "running" || show === "ended" ? show : "all";
}

/** The address of a page, `#` included; `parseRoute` gives the route back. */
export function href(route: Route): string {
  switch (route.page) {
    case "overview":
      return "#/";
    case "applications":
      return `#/applications${queryOf({ show: route.show === "all" ? "" : route.show, search: route.search })}`;
    case "application":
      return `#/applications/${encode(route.application)}`;
    case "jobs":
      return "#/jobs";
    case "job": {
      const base = route.application === null ? "#/jobs/" : `#/applications/${encode(route.application)}/jobs/`;
      const tab = route.tab === "overview" ? "" : `/${route.tab}`;
      const pane = route.vertex === null || route.pane === "subtasks" ? "" : route.pane;
      return `${base}${encode(route.job)}${tab}${queryOf({ vertex: route.vertex ?? "", pane })}`;
    }
    case "nodes":
      return "#/nodes";
    case "node":
      return `#/nodes/${encode(route.node)}`;
    case "log":
      return `#/logs/${encode(route.node)}/${encode(route.container)}/${encode(route.file)}`;
    case "missing":
      return `#${route.path}`;
  }
}

/** The first view of a job. */
export function jobHref(application: string | null, job: string): string {
  return href({ page: "job", application, job, tab: "overview", vertex: null, pane: "subtasks" });
}

function queryOf(parameters: Record<string, string>): string {
  const set = Object.entries(parameters).filter(([, value]) => value !== "");
  return set.length === 0 ? "" : `?${new URLSearchParams(set).toString()}`;
}

function encode(part: string): string {
  return encodeURIComponent(part).replaceAll("%3A", ":");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A fragment without its token, and the token: `#token=…` and `#/path?token=…` alike. */
export function takeToken(hash: string): { token: string | null; rest: string } {
  const text = hash.replace(/^#/, "");
  const mark = text.indexOf("?");
  const isQuery = mark < 0 && !text.startsWith("/");
  const path = isQuery ? "" : mark < 0 ? text : text.slice(0, mark);
  const parameters = new URLSearchParams(isQuery ? text : mark < 0 ? "" : text.slice(mark + 1));
  const token = parameters.get("token");
  if (token === null) return { token: null, rest: hash };
  parameters.delete("token");
  const query = parameters.toString();
  const rest = `${path === "" ? "/" : path}${query === "" ? "" : `?${query}`}`;
  return { token: token.trim() === "" ? null : token.trim(), rest: `#${rest}` };
}

/** What somebody pasted: a token, or an address that carries one. */
export function tokenInText(text: string): string | null {
  const trimmed = text.trim();
  const fragment = trimmed.indexOf("#");
  if (fragment >= 0) return takeToken(trimmed.slice(fragment)).token;
  return trimmed === "" || /[\s/?]/.test(trimmed) ? null : trimmed;
}
