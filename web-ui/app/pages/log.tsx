/** The logs of a container: its files, the end of one of them, followed as it grows. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Heading } from "../parts/heading";
import { Empty, Loaded } from "../parts/notices";
import { Tabs } from "../parts/tabs";
import { bytes } from "../model/format";
import { href } from "../model/route";
import type { LogFile } from "../model/shapes";
import { nodeBase } from "../net/place";
import { usePoll, usePollText } from "../net/poll";
import { applicationOfContainer } from "./nodes";

const FOLLOW_INTERVAL_MS = 1_000;
const LIST_INTERVAL_MS = 5_000;
const SIZES = [64 * 1024, 256 * 1024, 1024 * 1024, 8 * 1024 * 1024] as const;

interface LogProps {
  node: string;
  container: string;
  file: string;
}

export function LogPage({ node, container, file }: LogProps) {
  const base = `${nodeBase(node)}/containers/${encodeURIComponent(container)}/logs`;
  const list = usePoll<{ containerLogsInfo?: { containerLogInfo?: LogFile[] } }>(base, LIST_INTERVAL_MS);
  const files = [...(list.data?.containerLogsInfo?.containerLogInfo ?? [])].sort((a, b) => (a.fileName < b.fileName ? -1 : 1));
  const application = applicationOfContainer(container);
  const trail = [
    ...(application === null ? [] : [{ title: application, href: href({ page: "application", application }) }]),
    { title: node, href: href({ page: "node", node }) },
  ];
  const names = files.length === 0 ? [file] : files.map((one) => one.fileName);
  return (
    <>
      <Heading title={container} trail={trail} state={file} />
      <Tabs
        label="Log files"
        tabs={names.map((name) => ({ title: name, href: href({ page: "log", node, container, file: name }), isCurrent: name === file }))}
      />
      <LogView key={file} path={`${base}/${encodeURIComponent(file)}`} file={files.find((one) => one.fileName === file)} name={file} />
    </>
  );
}

function LogView({ path, file, name }: { path: string; file: LogFile | undefined; name: string }) {
  const [size, setSize] = useState<number>(SIZES[1]);
  const [isFollowing, setFollowing] = useState(true);
  const [isWrapped, setWrapped] = useState(true);
  // A negative size is the end of the file.
  const log = usePollText(`${path}?size=-${size}`, isFollowing ? FOLLOW_INTERVAL_MS : 0);
  return (
    <>
      <div class="toolbar">
        <label class="check">
          <input type="checkbox" checked={isFollowing} onChange={(event) => setFollowing(event.currentTarget.checked)} /> Follow
        </label>
        <label class="check">
          <input type="checkbox" checked={isWrapped} onChange={(event) => setWrapped(event.currentTarget.checked)} /> Wrap lines
        </label>
        <label class="check">
          Show the last
          <select value={size} onChange={(event) => setSize(Number(event.currentTarget.value))}>
            {SIZES.map((one) => (
              <option key={one} value={one}>
                {bytes(one)}
              </option>
            ))}
          </select>
        </label>
        <span class="toolbar-end faint">{file === undefined ? "" : `${bytes(file.fileSize)} in all`}</span>
        <a class="button" href={path} download={`${name}.log`}>
          Download
        </a>
      </div>
      <Loaded from={log} what="the log" missing={<Empty title="No such log">The container has not written it, or it was rotated away.</Empty>}>
        {(text) => <LogText text={text} isFollowing={isFollowing} isWrapped={isWrapped} name={name} stop={() => setFollowing(false)} />}
      </Loaded>
    </>
  );
}

interface LogTextProps {
  text: string;
  name: string;
  isFollowing: boolean;
  isWrapped: boolean;
  stop: () => void;
}

/** Within so many pixels of the end counts as at the end. */
const NEAR_END = 24;

/** Scrolling goes on for so long after the key or wheel that began it. */
const VIEWER_SCROLL_MS = 1_000;

function LogText({ text, name, isFollowing, isWrapped, stop }: LogTextProps) {
  const box = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    if (isFollowing && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [text, isFollowing, isWrapped]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    // Only what the viewer does counts, not what following does.
    let viewerUntil = 0;
    const mark = (event: Event) => {
      viewerUntil = event.timeStamp + VIEWER_SCROLL_MS;
    };
    const look = (event: Event) => {
      const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
      if (event.timeStamp < viewerUntil && !isAtEnd) stop();
    };
    const marks = ["wheel", "touchmove", "keydown", "pointerdown"] as const;
    for (const kind of marks) element.addEventListener(kind, mark, { passive: true });
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      for (const kind of marks) element.removeEventListener(kind, mark);
      element.removeEventListener("scroll", look);
    };
  }, [stop]);
  if (text === "") return <Empty title={`${name} is empty`}>Nothing was written to it so far.</Empty>;
  return (
    <pre ref={box} class={`log${isWrapped ? " is-wrapped" : ""}`} tabIndex={0} aria-label={`End of ${name}`}>
      {text}
    </pre>
  );
}
