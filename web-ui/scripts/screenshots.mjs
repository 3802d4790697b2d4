/**
 * Pictures of the page for the README, of a running cluster with a job:
 * `npm run screenshots -- --address http://127.0.0.1:8088/ --out DIR`. In light and dark, and
 * some of them as narrow as a phone. Changes nothing on the cluster.
 */

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { launch, open } from "../tests/browser.mjs";
import { liveJob, worstVertex } from "../tests/cluster.mjs";

const { values } = parseArgs({ options: { address: { type: "string" }, out: { type: "string" } } });
if (values.address === undefined || values.out === undefined) {
  console.error("usage: npm run screenshots -- --address http://127.0.0.1:8088/ --out DIR");
  process.exit(2);
}

const base = new URL("./", values.address).href;
const job = await liveJob(base);
const worst = await worstVertex(base, job);
const jobPath = `#/applications/${job.application}/jobs/${job.id}`;

/** Name, address, what must be there, and whether a narrow picture is wanted too. */
const shots = [
  { name: "overview", hash: "#/", wait: "table", isNarrow: true },
  { name: "application", hash: `#/applications/${job.application}`, wait: "table", isNarrow: false },
  { name: "job", hash: jobPath, wait: ".graph-level", isNarrow: true },
  { name: "vertex", hash: `${jobPath}?vertex=${worst.id}`, wait: ".panel table", isNarrow: false },
  { name: "backpressure", hash: `${jobPath}?vertex=${worst.id}&pane=backpressure`, wait: ".panel table", isNarrow: false },
  { name: "checkpoints", hash: `${jobPath}/checkpoints`, wait: ".section, .empty", isNarrow: false },
  { name: "exceptions", hash: `${jobPath}/exceptions`, wait: ".failure, .empty", isNarrow: false },
  { name: "task-managers", hash: `${jobPath}/taskmanagers`, wait: "table", isNarrow: false },
];

await mkdir(values.out, { recursive: true });
const browser = await launch();
try {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    for (const shot of shots) {
      await take(shot, scheme, { width: 1440, height: 900 }, "");
      if (shot.isNarrow) await take(shot, scheme, { width: 390, height: 844 }, "-narrow");
    }
  }
} finally {
  await browser.close();
}

async function take(shot, scheme, size, suffix) {
  const { page, close } = await open(browser, `${base}${shot.hash}`, { scheme, ...size, scale: 2 });
  await page.waitForSelector(`main :is(${shot.wait})`, { timeout: 15_000 });
  // What else the page asks for has come once nothing loads any more.
  await page.waitForFunction(() => document.querySelector(".skeleton") === null, { timeout: 15_000 });
  const file = path.join(values.out, `${shot.name}-${scheme}${suffix}.png`);
  await page.screenshot({ path: file });
  console.log(file);
  await close();
}
