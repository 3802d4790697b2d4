/** What has interrupted a job: each cause with its place, the log around it, and what followed from it. */

import { Time } from "../parts/basics";
import { Empty, Loaded } from "../parts/notices";
import { plural } from "../model/format";
import { clusterHref, usePlace } from "../net/place";
import type { ExceptionEntry, Exceptions } from "../model/shapes";
import { usePoll } from "../net/poll";
import { useContainers } from "./application";
import type { JobSource } from "./job";

export function ExceptionsTab({ source }: { source: JobSource }) {
  const answer = usePoll<Exceptions>(`${source.base}/exceptions`, source.interval);
  const nodes = useNodesOfContainers(source);
  return (
    <Loaded from={answer} what="the exceptions" rows={3}>
      {(data) => {
        const entries = data.exceptionHistory.entries;
        if (entries.length === 0) return <Empty title="No failure so far">Failures of tasks show up here, each with the task, its host and the end of its log.</Empty>;
        return (
          <>
            <ol class="failures">
              {entries.map((entry, index) => (
                <li key={`${entry.timestamp}-${index}`}>
                  <Failure entry={entry} node={nodes.get(entry.taskManagerId ?? "")} isOpen={index === 0} />
                </li>
              ))}
            </ol>
            {data.exceptionHistory.truncated ? <p class="faint">Older failures are not kept.</p> : null}
          </>
        );
      }}
    </Loaded>
  );
}

/** Where containers are, so that their logs can be linked. */
export function useNodesOfContainers(source: JobSource): Map<string, string> {
  const containers = useContainers(source.application, source.interval === 0 ? 0 : Math.max(5_000, source.interval));
  return new Map(containers.map((container) => [container.containerId, container.assignedNodeId ?? container.nodeId ?? ""]));
}

/** `Map -> Filter (2/4)`: the name of a task and the number of its subtask, from 1. */
export function taskOf(name: string | null | undefined): { task: string; subtask: string } {
  const found = /^(.*) \((\d+)\/(\d+)\)(?: ?#\d+)?$/.exec(name ?? "");
  if (found === null) return { task: name ?? "", subtask: "" };
  return { task: found[1] ?? "", subtask: `${found[2]} of ${found[3]}` };
}

/** What an entry's text tells: `CODE: message`, `  in operator …`, then more of the message and the log. */
export function partsOf(entry: Pick<ExceptionEntry, "exceptionName" | "stacktrace">): { title: string; operator: string; detail: string } {
  const [first = "", ...lines] = entry.stacktrace.trim().split("\n");
  const code = `${entry.exceptionName}: `;
  const title = (first.startsWith(code) ? first.slice(code.length) : first).trim();
  const at = lines.findIndex((line) => OPERATOR.test(line));
  const operator = OPERATOR.exec(lines[at] ?? "")?.[1] ?? "";
  const rest = lines.filter((_, index) => index !== at);
  return { title: title === "" ? entry.exceptionName : title, operator, detail: rest.join("\n").replace(/^\n+/, "") };
}

const OPERATOR = /^ {2}in operator (.+)$/;

function Failure({ entry, node, isOpen }: { entry: ExceptionEntry; node: string | undefined; isOpen: boolean }) {
  const { title, operator, detail } = partsOf(entry);
  const { task, subtask } = taskOf(entry.taskName);
  return (
    <article class="failure" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <Time at={entry.timestamp} />
      </header>
      <dl class="facts facts-line">
        <Fact name="Code" value={entry.exceptionName} />
        <Fact name="Operator" value={operator} />
        <Fact name="Task" value={task} />
        <Fact name="Subtask" value={subtask} />
        <Fact name="Host" value={entry.endpoint ?? ""} />
        <ContainerFact container={entry.taskManagerId ?? ""} node={node} />
      </dl>
      {detail === "" ? null : (
        <details open={isOpen}>
          <summary>Details and log</summary>
          <pre class="text-block text-block-bad" tabIndex={0}>
            {detail}
          </pre>
        </details>
      )}
      <Consequences entry={entry} />
    </article>
  );
}

/** Failures that followed from another one: they explain nothing by themselves. */
function Consequences({ entry }: { entry: ExceptionEntry }) {
  const shown = entry.concurrentExceptions ?? [];
  const count = Math.max(shown.length, entry["weir-concurrent-exception-count"] ?? 0);
  if (count === 0) return null;
  return (
    <details>
      <summary>{plural(count, "other failure")} followed from it</summary>
      <ul class="consequences">
        {shown.map((one, index) => (
          <li key={`${one.timestamp}-${index}`}>
            <span class="id">{one.exceptionName}</span> {one.taskName ?? ""}: {partsOf(one).title}
          </li>
        ))}
      </ul>
      {count > shown.length ? <p class="faint">The others are not kept.</p> : null}
    </details>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  if (value === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function ContainerFact({ container, node }: { container: string; node: string | undefined }) {
  const place = usePlace();
  if (container === "") return null;
  const link = node === undefined || node === "" ? null : clusterHref(place, { page: "log", node, container, file: "stderr" });
  return (
    <div>
      <dt>Container</dt>
      <dd>
        <span class="id">{container}</span> {link === null ? null : <a href={link}>log</a>}
      </dd>
    </div>
  );
}
