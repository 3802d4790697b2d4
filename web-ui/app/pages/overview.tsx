/** The cluster at a glance: figures, applications and nodes; or an app master's figures and jobs. */

import { useState } from "preact/hooks";
import { Meter, Section, Tile, Tiles } from "../parts/basics";
import { Heading } from "../parts/heading";
import { Loaded } from "../parts/notices";
import { exact, mebibytes, plural } from "../model/format";
import { href, type Show } from "../model/route";
import type { Application, ClusterMetrics, MasterOverview } from "../model/shapes";
import { isApplicationEnded, verdictOf } from "../model/states";
import { CLUSTER, usePlace } from "../net/place";
import { usePoll } from "../net/poll";
import { FilteredApplications, useApplications } from "./applications";
import { MasterJobs } from "./jobs";
import { NodesTable, useNodes } from "./nodes";

export function OverviewPage() {
  return usePlace().kind === "resource-manager" ? <ClusterOverview /> : <MasterOverviewPage />;
}

function ClusterOverview() {
  const metrics = usePoll<{ clusterMetrics: ClusterMetrics }>(`${CLUSTER}/metrics`);
  const applications = useApplications();
  const nodes = useNodes();
  const [show, setShow] = useState<Show>("all");
  const [search, setSearch] = useState("");
  const filter = (nextShow: Show, nextSearch: string) => {
    setShow(nextShow);
    setSearch(nextSearch);
  };
  return (
    <>
      <Heading title="Cluster" />
      <Loaded from={metrics} what="the figures of the cluster" rows={2}>
        {(data) => <ClusterTiles metrics={data.clusterMetrics} applications={applications.data ?? []} />}
      </Loaded>
      <Section title="Applications">
        <Loaded from={applications} what="the applications" rows={4}>
          {(all) => <FilteredApplications all={all} show={show} search={search} filter={filter} />}
        </Loaded>
      </Section>
      <Section title="Nodes" aside={<a href={href({ page: "nodes" })}>All nodes</a>}>
        <Loaded from={nodes} what="the nodes" rows={2}>
          {(rows) => <NodesTable rows={rows} />}
        </Loaded>
      </Section>
    </>
  );
}

function ClusterTiles({ metrics, applications }: { metrics: ClusterMetrics; applications: readonly Application[] }) {
  const ended = applications.filter((application) => isApplicationEnded(application.state)).map(verdictOf);
  const count = (verdict: string) => exact(ended.filter((one) => one === verdict).length);
  const memory = metrics.totalMB > 0 ? metrics.allocatedMB / metrics.totalMB : 0;
  const cores = metrics.totalVirtualCores > 0 ? metrics.allocatedVirtualCores / metrics.totalVirtualCores : 0;
  return (
    <Tiles label="Figures of the cluster">
      <Tile name="Memory leased" note={<Meter part={memory} label="Memory leased" />}>
        <span class="whole">{mebibytes(metrics.allocatedMB)}</span> <span class="faint">of {mebibytes(metrics.totalMB)}</span>
      </Tile>
      <Tile name="Cores leased" note={<Meter part={cores} label="Cores leased" />}>
        {exact(metrics.allocatedVirtualCores)} <span class="faint">of {exact(metrics.totalVirtualCores)}</span>
      </Tile>
      <Tile name="Nodes" note={nodesNote(metrics)}>
        {exact(metrics.activeNodes)}
      </Tile>
      <Tile name="Containers" note={`${exact(metrics.containersPending)} pending`}>
        {exact(metrics.containersAllocated)}
      </Tile>
      <Tile name="Applications running" note={`${exact(metrics.appsPending)} pending`}>
        {exact(metrics.appsRunning)}
      </Tile>
      <Tile name="Applications ended" note={`${count("FAILED")} failed, ${count("KILLED")} killed`}>
        {exact(ended.length)}
      </Tile>
    </Tiles>
  );
}

function nodesNote(metrics: ClusterMetrics): string {
  const lost = [
    metrics.lostNodes > 0 ? `${exact(metrics.lostNodes)} lost` : "",
    metrics.unhealthyNodes > 0 ? `${exact(metrics.unhealthyNodes)} unhealthy` : "",
  ].filter((part) => part !== "");
  return lost.length === 0 ? "all healthy" : lost.join(", ");
}

function MasterOverviewPage() {
  const overview = usePoll<MasterOverview>("overview");
  return (
    <>
      <Heading title="App master" />
      <Loaded from={overview} what="the figures of the app master" rows={2}>
        {(data) => (
          <Tiles label="Figures of the app master">
            <Tile name="Slots in use" note={`of ${exact(data["slots-total"])}`}>
              {exact(data["slots-total"] - data["slots-available"])}
            </Tile>
            <Tile name="Task managers">{exact(data.taskmanagers)}</Tile>
            <Tile name="Jobs running">{exact(data["jobs-running"])}</Tile>
            <Tile name="Jobs ended" note={`${plural(data["jobs-failed"], "failure")}, ${exact(data["jobs-cancelled"])} cancelled`}>
              {exact(data["jobs-finished"] + data["jobs-failed"] + data["jobs-cancelled"])}
            </Tile>
          </Tiles>
        )}
      </Loaded>
      <Section title="Jobs">
        <MasterJobs application={null} />
      </Section>
    </>
  );
}
