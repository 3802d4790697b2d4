/** The configuration of a job: each key with the value that holds and the place that set it. */

import { Facts, Section } from "../parts/basics";
import { Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { exact } from "../model/format";
import type { ConfigEntry, JobConfig } from "../model/shapes";
import { usePoll } from "../net/poll";
import type { JobSource } from "./job";

const COLUMNS: readonly Column<ConfigEntry>[] = [
  { title: "Key", by: ({ key }) => key, show: ({ key }) => <span class="id">{key}</span> },
  { title: "Value", show: ({ value }) => <span class="id">{value}</span> },
  { title: "Source", by: ({ source }) => source, show: ({ source }) => source },
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
            <Section title="Configuration of this job">
              <div class="breaks-ids">
                <Table
                  caption="Keys, values and where each value was set"
                  columns={COLUMNS}
                  rows={data["weir-configuration"] ?? []}
                  keyOf={({ key }) => key}
                  empty="No configuration is known"
                  sorted="Key"
                />
              </div>
            </Section>
          </>
        );
      }}
    </Loaded>
  );
}
