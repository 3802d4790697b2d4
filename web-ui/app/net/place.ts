/**
 * Where the page is served: by a resource manager, or by an app master, itself or behind the proxy
 * of its resource manager. From it follow all addresses of the REST interfaces.
 */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { type Route, href } from "../model/route";
import type { ClusterInfo } from "../model/shapes";
import { Failure, getJson } from "./client";

export type Place =
  | { kind: "resource-manager"; info: ClusterInfo }
  /** `application` is known when the page came through a resource manager's proxy. */
  | { kind: "app-master"; application: string | null };

/** Asks the server what it is. Fails only when it does not answer at all. */
export async function findPlace(): Promise<Place> {
  try {
    const answer = await getJson<{ clusterInfo?: ClusterInfo }>(`${CLUSTER}/info`);
    if (answer.clusterInfo !== undefined) return { kind: "resource-manager", info: answer.clusterInfo };
  } catch (problem) {
    if (problem instanceof Failure && (problem.isConnection || (problem.status ?? 0) >= 500)) throw problem;
  }
  return { kind: "app-master", application: proxied(location.pathname) };
}

/** The application whose app master a path leads to through the proxy. */
export function proxied(path: string): string | null {
  return /\/proxy\/(application_\d+_\d+)(\/|$)/.exec(path)?.[1] ?? null;
}

export const CLUSTER = "ws/v1/cluster";

/** The REST interface of an application's app master; null is: it serves the page itself. */
export function masterBase(application: string | null): string {
  return application === null ? "" : `proxy/${encodeURIComponent(application)}/`;
}

/** The REST interface of a node's agent, through the resource manager. */
export function nodeBase(node: string): string {
  return `proxy-node/${encodeURIComponent(node).replaceAll("%3A", ":")}/ws/v1/node`;
}

export const PlaceContext = createContext<Place>({ kind: "app-master", application: null });

export function usePlace(): Place {
  return useContext(PlaceContext);
}

/** The REST interface of the resource manager, where there is one within reach. */
export function clusterBase(place: Place): string | null {
  if (place.kind === "resource-manager") return CLUSTER;
  return place.application === null ? null : `../../${CLUSTER}`;
}

/** The address of a page that only a resource manager has; null where none is within reach. */
export function clusterHref(place: Place, route: Route): string | null {
  if (place.kind === "resource-manager") return href(route);
  return place.application === null ? null : `../../${href(route)}`;
}

/** The application that a job page belongs to, whoever serves it. */
export function applicationOf(place: Place, application: string | null): string | null {
  return application ?? (place.kind === "app-master" ? place.application : null);
}
