/** Nodes of the cluster, and one of them with its containers. */

import { Badge, Facts, Id, Section, Time, Usage } from "../parts/basics";
import { Heading } from "../parts/heading";
import { Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { exact, mebibytes } from "../model/format";
import { href } from "../model/route";
import type { ClusterNode, NodeContainer, NodeInfo } from "../model/shapes";
import { CLUSTER, nodeBase } from "../net/place";
import { type Polled, usePoll } from "../net/poll";

interface NodesAnswer {
  nodes?: { node?: ClusterNode[] } | null;
}

export function useNodes(): Polled<ClusterNode[]> {
  const answer = usePoll<NodesAnswer>(`${CLUSTER}/nodes`);
  return { ...answer, data: answer.data === undefined ? undefined : (answer.data.nodes?.node ?? []) };
}

export function NodesPage() {
  const nodes = useNodes();
  return (
    <>
      <Heading title="Nodes" />
      <Loaded from={nodes} what="the nodes" rows={4}>
        {(rows) => <NodesTable rows={rows} />}
      </Loaded>
    </>
  );
}

const totalMemory = (node: ClusterNode) => node.usedMemoryMB + node.availMemoryMB;
const totalCores = (node: ClusterNode) => node.usedVirtualCores + node.availableVirtualCores;

const NODE_COLUMNS: readonly Column<ClusterNode>[] = [
  { title: "Node", by: (node) => node.id, show: (node) => <a href={href({ page: "node", node: node.id })}>{node.id}</a> },
  {
    title: "State",
    by: (node) => node.state,
    show: (node) => (
      <span class="two-lines">
        <Badge state={node.state} />
        {node.healthReport ? <span class="faint reason">{node.healthReport}</span> : null}
      </span>
    ),
  },
  {
    title: "Memory",
    by: (node) => node.usedMemoryMB,
    show: (node) => <Usage used={node.usedMemoryMB} total={totalMemory(node)} show={mebibytes} label={`Memory leased on ${node.id}`} />,
  },
  {
    title: "Cores",
    by: (node) => node.usedVirtualCores,
    show: (node) => <Usage used={node.usedVirtualCores} total={totalCores(node)} show={exact} label={`Cores leased on ${node.id}`} />,
  },
  { title: "Containers", isNumber: true, by: (node) => node.numContainers, show: (node) => exact(node.numContainers) },
  { title: "Last heard of", by: (node) => node.lastHealthUpdate ?? 0, show: (node) => <Time at={node.lastHealthUpdate} /> },
  { title: "Version", show: (node) => <span class="faint">{node.version ?? ""}</span> },
];

export function NodesTable({ rows }: { rows: ClusterNode[] }) {
  return (
    <Table
      caption="Nodes"
      columns={NODE_COLUMNS}
      rows={rows}
      keyOf={(node) => node.id}
      empty="No node has registered yet"
      sorted="Node"
    />
  );
}

const TRAIL = [{ title: "Nodes", href: href({ page: "nodes" }) }];

export function NodePage({ node }: { node: string }) {
  const answer = usePoll<{ node?: ClusterNode }>(`${CLUSTER}/nodes/${encodeURIComponent(node).replaceAll("%3A", ":")}`);
  const info = usePoll<{ nodeInfo?: NodeInfo }>(`${nodeBase(node)}/info`);
  const containers = usePoll<{ containers?: { container?: NodeContainer[] } | null }>(`${nodeBase(node)}/containers`);
  const state = answer.data?.node?.state;
  return (
    <>
      <Heading title={node} trail={TRAIL} state={state} badge={state === undefined ? null : <Badge state={state} />} />
      <Loaded from={answer} what="the node">
        {(data) => (data.node === undefined ? null : <NodeFacts node={data.node} info={info.data?.nodeInfo} />)}
      </Loaded>
      <Section title="Containers">
        <Loaded from={containers} what="the containers of this node">
          {(data) => (
            <Table
              caption="Containers"
              columns={containerColumns(node)}
              rows={data.containers?.container ?? []}
              keyOf={(container) => container.id}
              empty="No container here"
            />
          )}
        </Loaded>
      </Section>
    </>
  );
}

function NodeFacts({ node, info }: { node: ClusterNode; info: NodeInfo | undefined }) {
  return (
    <Facts
      facts={[
        ["Memory leased", <Usage used={node.usedMemoryMB} total={totalMemory(node)} show={mebibytes} label="Memory leased" />],
        ["Cores leased", <Usage used={node.usedVirtualCores} total={totalCores(node)} show={exact} label="Cores leased" />],
        ["Memory used by containers", mebibytes(node.resourceUtilization?.aggregatedContainersPhysicalMemoryMB)],
        ["Memory used on the node", mebibytes(node.resourceUtilization?.nodePhysicalMemoryMB)],
        ["Containers", exact(node.numContainers)],
        ["Rack", node.rack ?? "–"],
        ["Version", node.version ?? info?.nodeManagerVersion ?? "–"],
        ["Agent started", <Time at={info?.nmStartupTime} />],
        ["Last heard of", <Time at={node.lastHealthUpdate} />],
        ["Health", node.healthReport || "Nothing to report"],
      ]}
    />
  );
}

function containerColumns(node: string): readonly Column<NodeContainer>[] {
  return [
    { title: "Container", by: (container) => container.id, show: (container) => <Id>{container.id}</Id> },
    {
      title: "Application",
      show: (container) => {
        const application = applicationOfContainer(container.id);
        return application === null ? "–" : <a href={href({ page: "application", application })}>{application}</a>;
      },
    },
    { title: "State", by: (container) => container.state, show: (container) => <Badge state={container.state} /> },
    {
      title: "Memory in use",
      by: (container) => container.usedMemoryMB ?? 0,
      show: (container) => (
        <Usage
          used={container.usedMemoryMB ?? 0}
          total={container.totalMemoryNeededMB ?? 0}
          show={mebibytes}
          label={`Memory of ${container.id} in use`}
        />
      ),
    },
    { title: "Cores", isNumber: true, show: (container) => exact(container.totalVCoresNeeded) },
    {
      title: "Exit code",
      isNumber: true,
      show: (container) => (container.state === "RUNNING" ? "–" : exact(container.exitCode)),
    },
    {
      title: "Diagnostics",
      show: (container) => (
        <span class="clip" title={container.diagnostics}>
          {container.diagnostics ?? ""}
        </span>
      ),
    },
    {
      title: "Logs",
      show: (container) => <LogLinks node={node} container={container.id} files={container.containerLogFiles} />,
    },
  ];
}

/** Links to a container's logs. */
export function LogLinks({ node, container, files = ["stdout", "stderr"] }: { node: string; container: string; files?: string[] | undefined }) {
  return (
    <span class="links">
      {files.filter((file) => !/\.\d+$/.test(file)).map((file) => (
        <a key={file} href={href({ page: "log", node, container, file })}>
          {file}
        </a>
      ))}
    </span>
  );
}

/** `container_[e1_]<cluster>_<application>_<attempt>_<number>` names its application. */
export function applicationOfContainer(container: string): string | null {
  const found = /^container_(?:e\d+_)?(\d+)_(\d+)_\d+_\d+$/.exec(container);
  return found === null ? null : `application_${found[1]}_${found[2]}`;
}
