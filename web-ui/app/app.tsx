/** The frame around every page: finds out where it is served, and shows the page of the address. */

import { useEffect, useState } from "preact/hooks";
import { parseRoute, type Route } from "./model/route";
import { Failure } from "./net/client";
import { findPlace, type Place, PlaceContext } from "./net/place";
import { ApplicationPage } from "./pages/application";
import { ApplicationsPage } from "./pages/applications";
import { JobPage } from "./pages/job";
import { JobsPage } from "./pages/jobs";
import { LogPage } from "./pages/log";
import { NodePage, NodesPage } from "./pages/nodes";
import { OverviewPage } from "./pages/overview";
import { Heading } from "./parts/heading";
import { useKeyboard } from "./parts/keyboard";
import { Empty, Skeleton } from "./parts/notices";
import { ConnectionNotice, TopBar } from "./parts/topbar";

export function App() {
  const { place, problem } = usePlaceFound();
  const route = useRoute();
  const help = useKeyboard();
  useFocusOnNewPage(route);
  return (
    <PlaceContext.Provider value={place ?? { kind: "app-master", application: null }}>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the page
      </a>
      <TopBar route={route} place={place} openHelp={help.open} />
      <ConnectionNotice />
      <main id="main" tabIndex={-1}>
        {place !== null ? <Page route={route} place={place} /> : problem === null ? <Skeleton rows={6} /> : <NoServer problem={problem} />}
      </main>
      {help.dialog}
    </PlaceContext.Provider>
  );
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Page({ route, place }: { route: Route; place: Place }) {
  const isCluster = place.kind === "resource-manager";
  switch (route.page) {
    case "overview":
      return <OverviewPage />;
    case "jobs":
      return <JobsPage />;
    case "job":
      // The app master's own jobs have no application in their address, those of a cluster have.
      if (isCluster === (route.application !== null)) return <JobPage key={`${route.application}/${route.job}`} route={route} />;
      break;
    case "applications":
      if (isCluster) return <ApplicationsPage show={route.show} search={route.search} />;
      break;
    case "application":
      if (isCluster) return <ApplicationPage key={route.application} id={route.application} />;
      break;
    case "nodes":
      if (isCluster) return <NodesPage />;
      break;
    case "node":
      if (isCluster) return <NodePage key={route.node} node={route.node} />;
      break;
    case "log":
      if (isCluster) return <LogPage key={route.container} node={route.node} container={route.container} file={route.file} />;
      break;
    case "missing":
      break;
  }
  return <NoPage />;
}

function NoPage() {
  return (
    <>
      <Heading title="No such page" />
      <Empty title="There is nothing at this address">
        <a href="#/">Go to the overview</a>
      </Empty>
    </>
  );
}

function NoServer({ problem }: { problem: string }) {
  return (
    <>
      <Heading title="No connection" />
      <div class="notice notice-bad" role="alert">
        <p>
          <strong>The server does not answer</strong>
        </p>
        <p>{problem}. Is the cluster running? <code>weir cluster status</code> tells.</p>
        <p class="faint">The page tries again by itself.</p>
      </div>
    </>
  );
}

const RETRY_MS = 3_000;

function usePlaceFound(): { place: Place | null; problem: string | null } {
  const [place, setPlace] = useState<Place | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      findPlace().then(setPlace, (error: unknown) => {
        setProblem(error instanceof Failure ? error.message : String(error));
        timer = setTimeout(look, RETRY_MS);
      });
    };
    look();
    return () => clearTimeout(timer);
  }, []);
  return { place, problem };
}

function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const look = () => setHash(location.hash);
    look();
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  return parseRoute(hash);
}

/** A page is another one when this differs; tabs and filters are the same page. */
function pageKey(route: Route): string {
  switch (route.page) {
    case "application":
      return `application ${route.application}`;
    case "job":
      return `job ${route.job}`;
    case "node":
      return `node ${route.node}`;
    case "log":
      return `log ${route.container}`;
    default:
      return route.page;
  }
}

/** After a link led to another page, reading and scrolling begin at its top. */
function useFocusOnNewPage(route: Route): void {
  const key = pageKey(route);
  const [seen] = useState({ key, isLink: false });
  useEffect(() => {
    const onClick = (event: MouseEvent) => {
      seen.isLink = event.target instanceof Element && event.target.closest("a[href^='#']") !== null;
    };
    addEventListener("click", onClick, true);
    return () => removeEventListener("click", onClick, true);
  }, []);
  useEffect(() => {
    if (seen.key === key) return;
    seen.key = key;
    document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    // Going back is left to the browser, which knows where the viewer was.
    if (seen.isLink) window.scrollTo(0, 0);
    seen.isLink = false;
  }, [key]);
}
