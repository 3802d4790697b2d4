/** Checkpoints of a job: how many, how long and how large, the latest, and the history. */

import { Badge, Facts, Meter, Section, Tile, Tiles, Time } from "../parts/basics";
import { Empty, Loaded } from "../parts/notices";
import { type Column, Table } from "../parts/table";
import { bytes, duration, exact, known, NOTHING, precise } from "../model/format";
import type { Checkpoint, CheckpointConfig, Checkpoints, Loose, Stats } from "../model/shapes";
import { usePoll } from "../net/poll";
import type { JobSource } from "./job";

export function CheckpointsTab({ source }: { source: JobSource }) {
  const answer = usePoll<Checkpoints>(`${source.base}/checkpoints`, source.interval);
  return (
    <Loaded from={answer} what="the checkpoints" rows={5} missing={<NotEnabled />}>
      {(data) => (
        <>
          <Counts checkpoints={data} />
          <Section title="Latest">
            <Latest latest={data.latest} />
          </Section>
          <Settings source={source} />
          <Section title="Summary">
            <Table caption="Summary" columns={SUMMARY_COLUMNS} rows={summaryRows(data)} keyOf={(row) => row.name} empty="Nothing yet" />
          </Section>
          <Section title="History">
            <Table
              caption="History"
              columns={historyColumns(data.history)}
              rows={data.history}
              keyOf={(checkpoint) => checkpoint.id}
              empty={<Empty title="No checkpoint yet">The first one shows up here once it is triggered.</Empty>}
            />
          </Section>
        </>
      )}
    </Loaded>
  );
}

function NotEnabled() {
  return (
    <Empty title="Checkpointing is off">
      Set <code>execution.checkpointing.interval</code> to have the job save its state, so that it goes on from there after a failure.
    </Empty>
  );
}

/** Missing where only the end of the data takes a checkpoint. */
function Settings({ source }: { source: JobSource }) {
  const config = usePoll<CheckpointConfig>(`${source.base}/checkpoints/config`, 0).data;
  if (config === undefined) return null;
  return (
    <Section title="Settings">
      <Facts
        facts={[
          ["Mode", config.mode.replaceAll("_", " ")],
          ["Interval", duration(config.interval)],
          ["Timeout", duration(config.timeout)],
          ["Minimum pause", duration(config.min_pause)],
          ["Tolerable failures", exact(config.tolerable_failed_checkpoints)],
          ["Kept", retention(config)],
          ["State backend", config.state_backend],
          ["Storage", <span class="id">{config.checkpoint_storage}</span>],
        ]}
      />
    </Section>
  );
}

function retention({ externalization: { enabled, delete_on_cancellation } }: CheckpointConfig): string {
  if (!enabled) return "not after the end of the job";
  return delete_on_cancellation ? "after a failure of the job" : "after a failure or a cancellation of the job";
}

function Counts({ checkpoints }: { checkpoints: Checkpoints }) {
  const { counts } = checkpoints;
  return (
    <Tiles label="Numbers of checkpoints">
      <Tile name="Triggered">{exact(counts.total)}</Tile>
      <Tile name="In progress">{exact(counts.in_progress)}</Tile>
      <Tile name="Completed">{exact(counts.completed)}</Tile>
      <Tile name="Failed">{exact(counts.failed)}</Tile>
      <Tile name="Restored">{exact(counts.restored)}</Tile>
    </Tiles>
  );
}

function Latest({ latest }: { latest: Checkpoints["latest"] }) {
  const { completed, failed, restored } = latest;
  return (
    <dl class="facts facts-rows">
      <div>
        <dt>Completed</dt>
        <dd>{completed ? <One checkpoint={completed} /> : <span class="faint">none</span>}</dd>
      </div>
      <div>
        <dt>Failed</dt>
        <dd>
          {failed ? (
            <>
              <One checkpoint={failed} />
              {failed.failure_message ? `: ${failed.failure_message}` : ""}
            </>
          ) : (
            <span class="faint">none</span>
          )}
        </dd>
      </div>
      <div>
        <dt>Restored</dt>
        <dd>
          {restored ? (
            <>
              #{restored.id} at <Time at={restored.restore_timestamp} /> {restored.external_path ? <span class="id">{restored.external_path}</span> : null}
            </>
          ) : (
            <span class="faint">none</span>
          )}
        </dd>
      </div>
    </dl>
  );
}

function One({ checkpoint }: { checkpoint: Checkpoint }) {
  return (
    <>
      #{checkpoint.id}, triggered at <Time at={checkpoint.trigger_timestamp} />, took {precise(checkpoint.end_to_end_duration)},{" "}
      {bytes(checkpoint.checkpointed_size)}
      {checkpoint.external_path ? (
        <>
          {" "}
          <span class="id">{checkpoint.external_path}</span>
        </>
      ) : null}
    </>
  );
}

interface SummaryRow {
  name: string;
  stats: Stats;
  show: (value: Loose) => string;
}

function summaryRows({ summary, counts }: Checkpoints): SummaryRow[] {
  if (counts.completed === 0 && counts.restored === 0 && summary.end_to_end_duration.max <= 0) return [];
  return [
    { name: "Duration", stats: summary.end_to_end_duration, show: precise },
    { name: "Checkpointed size", stats: summary.checkpointed_size, show: bytes },
    { name: "Full size", stats: summary.state_size, show: bytes },
  ];
}

const SUMMARY_COLUMNS: readonly Column<SummaryRow>[] = [
  { title: "", show: (row) => row.name },
  ...(["min", "avg", "max", "p50", "p95", "p99"] as const).map((key) => ({
    title: { min: "Minimum", avg: "Average", max: "Maximum", p50: "p50", p95: "p95", p99: "p99" }[key],
    isNumber: true,
    show: (row: SummaryRow) => (known(row.stats[key]) === null ? NOTHING : row.show(row.stats[key])),
  })),
];

function historyColumns(history: readonly Checkpoint[]): readonly Column<Checkpoint>[] {
  const longest = Math.max(1, ...history.map((checkpoint) => checkpoint.end_to_end_duration));
  const largest = Math.max(1, ...history.map((checkpoint) => checkpoint.checkpointed_size));
  return [
    { title: "Id", isNumber: true, by: (checkpoint) => checkpoint.id, show: (checkpoint) => checkpoint.id },
    { title: "State", by: (checkpoint) => checkpoint.status, show: (checkpoint) => <Badge state={checkpoint.status} /> },
    { title: "Kind", show: (checkpoint) => kind(checkpoint) },
    {
      title: "Acknowledged",
      isNumber: true,
      show: (checkpoint) => `${checkpoint.num_acknowledged_subtasks}/${checkpoint.num_subtasks}`,
    },
    { title: "Triggered", by: (checkpoint) => checkpoint.trigger_timestamp, show: (checkpoint) => <Time at={checkpoint.trigger_timestamp} /> },
    {
      title: "Duration",
      by: (checkpoint) => checkpoint.end_to_end_duration,
      show: (checkpoint) => (
        <span class="share">
          <span class="share-text share-text-wide">{precise(checkpoint.end_to_end_duration)}</span>
          <Meter part={checkpoint.end_to_end_duration / longest} label={`Duration of checkpoint ${checkpoint.id} beside the longest`} />
        </span>
      ),
    },
    {
      title: "Size",
      description: "What was written for it",
      by: (checkpoint) => checkpoint.checkpointed_size,
      show: (checkpoint) => (
        <span class="share">
          <span class="share-text share-text-wide">{bytes(checkpoint.checkpointed_size)}</span>
          <Meter part={checkpoint.checkpointed_size / largest} label={`Size of checkpoint ${checkpoint.id} beside the largest`} />
        </span>
      ),
    },
    { title: "Full size", isNumber: true, by: (checkpoint) => checkpoint.state_size, show: (checkpoint) => bytes(checkpoint.state_size) },
    {
      title: "Why it failed",
      show: (checkpoint) => (
        <span class="clip" title={checkpoint.failure_message ?? ""}>
          {checkpoint.failure_message ?? ""}
        </span>
      ),
    },
  ];
}

function kind(checkpoint: Checkpoint): string {
  if (checkpoint.is_savepoint) return "savepoint";
  return checkpoint.checkpoint_type === "UNALIGNED_CHECKPOINT" ? "unaligned" : "aligned";
}
