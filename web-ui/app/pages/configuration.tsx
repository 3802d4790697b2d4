/** What a job was started with. */

import { Facts, Section } from "../parts/basics";
import { Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { exact } from "../model/format";
import type { JobConfig } from "../model/shapes";
import { usePoll } from "../net/poll";
import type { JobSource } from "./job";

type Pair = [string, string];

const COLUMNS: readonly Column<Pair>[] = [
  { title: "Key", by: ([key]) => key, show: ([key]) => <span class="id">{key}</span> },
  { title: "Value", show: ([, value]) => <span class="id">{value}</span> },
];

export function ConfigurationTab({ source }: { source: JobSource }) {
  const answer = usePoll<JobConfig>(`${source.base}/config`, 0);
  return (
    <Loaded from={answer} what="the configuration">
      {(data) => {
        const execution = data["execution-config"];
        return (
          <>
            <Facts
              facts={[
                ["Restart strategy", execution?.["restart-strategy"] ?? "–"],
                ["Parallelism of the job", exact(execution?.["job-parallelism"])],
                ["Execution mode", execution?.["execution-mode"] ?? "–"],
              ]}
            />
            <Section title="Set for this job">
              <Table
                caption="Settings"
                columns={COLUMNS}
                rows={Object.entries(execution?.["user-config"] ?? {})}
                keyOf={([key]) => key}
                empty="Nothing was set: all keys have their defaults"
                sorted="Key"
              />
            </Section>
          </>
        );
      }}
    </Loaded>
  );
}
