/**
 * The page against a real cluster: `WEIR_ADDRESS=http://127.0.0.1:8088/#token=… npm run cluster-test`.
 *
 * The cluster must run a job under backpressure. Looks, in the page itself, for a vertex that is
 * HIGH with its ratio, and through every page for errors; changes nothing. With `WEIR_SCREENSHOTS`
 * the pages are also stored as pictures in that folder. Ends with 1 when something is wrong.
 */

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { launch, open, PATIENCE_MS, shows } from "./browser.mjs";

/** @typedef {{ application: string, id: string, name: string }} LiveJob */

/**
 * @param {string} base
 * @param {string} path
 */
async function getJson(base, path) {
  const response = await fetch(new URL(path, base));
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return response.json();
}

/**
 * The newest running job of a cluster.
 *
 * @param {string} base Of the resource manager, with a slash at its end.
 * @returns {Promise<LiveJob>}
 */
export async function liveJob(base) {
  let problem;
  for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await pause(100)) {
    try {
      const job = await runningJob(base);
      if (job !== undefined) return job;
    } catch (error) {
      // An app master that has just begun may not answer yet.
      problem = error;
    }
  }
  throw new Error(`no job runs on ${base}: start one, then try again`, { cause: problem });
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * @param {string} base
 * @returns {Promise<LiveJob | undefined>}
 */
async function runningJob(base) {
  const answer = await getJson(base, "ws/v1/cluster/apps?states=RUNNING");
  for (const application of answer.apps.app ?? []) {
    if (application.state !== "RUNNING") continue;
    const overview = await getJson(base, `proxy/${application.id}/jobs/overview`);
    const running = overview.jobs.find((/** @type {{ state: string }} */ job) => job.state === "RUNNING");
    if (running !== undefined) return { application: application.id, id: running.jid, name: running.name };
  }
  return undefined;
}

/**
 * The vertex of a job that is backpressured most.
 *
 * @param {string} base
 * @param {LiveJob} job
 * @returns {Promise<{ id: string, ratio: number }>}
 */
export async function worstVertex(base, job) {
  const jobBase = `proxy/${job.application}/jobs/${job.id}`;
  const detail = await getJson(base, jobBase);
  let worst = { id: detail.vertices[0].id, ratio: 0 };
  for (const vertex of detail.vertices) {
    const answer = await getJson(base, `${jobBase}/vertices/${vertex.id}/backpressure`);
    const ratio = Math.max(0, ...(answer.subtasks ?? []).map((/** @type {{ ratio: number }} */ subtask) => subtask.ratio));
    if (ratio > worst.ratio) worst = { id: vertex.id, ratio };
  }
  return worst;
}

/** @param {string} address */
async function test(address) {
  const base = new URL("./", address).href;
  const job = await liveJob(base);
  const out = process.env.WEIR_SCREENSHOTS;
  if (out !== undefined) await mkdir(out, { recursive: true });
  const browser = await launch();
  try {
    const { page, complaints } = await open(browser, address);
    /** @param {string} name */
    const picture = async (name) => {
      if (out !== undefined) await page.screenshot({ path: path.join(out, `${name}.png`) });
    };
    /** @param {string} hash */
    const go = async (hash) => {
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
    };
    const jobHash = `#/applications/${job.application}/jobs/${job.id}`;

    await shows(page, job.application);
    if ((await page.evaluate(() => location.hash)).includes("token")) throw new Error("the token stayed in the address");
    await picture("overview");

    await go(jobHash);
    const spoken = await highVertex(page);
    console.log(`under backpressure: ${spoken}`);
    await picture("job");

    const worst = await worstVertex(base, job);
    await go(`${jobHash}?vertex=${worst.id}&pane=backpressure`);
    await page.waitForSelector(".panel table .level");
    await picture("backpressure");

    for (const tab of ["checkpoints", "exceptions", "taskmanagers", "configuration"]) {
      await go(`${jobHash}/${tab}`);
      await settled(page);
      await picture(tab);
    }
    for (const [name, hash] of [["application", `#/applications/${job.application}`], ["jobs", "#/jobs"], ["nodes", "#/nodes"]]) {
      await go(/** @type {string} */ (hash));
      await settled(page);
      await picture(/** @type {string} */ (name));
    }
    if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join("\n")}`);
  } finally {
    await browser.close();
  }
}

/**
 * Waits for a vertex that is HIGH with a ratio above one half, and says how the page speaks of it.
 *
 * @param {import("puppeteer-core").Page} page
 */
async function highVertex(page) {
  const found = await page.waitForFunction(
    () => {
      const labels = [...document.querySelectorAll("[data-vertex]")].map((vertex) => vertex.getAttribute("aria-label") ?? "");
      return labels.find((label) => Number(/backpressured (\d+)% HIGH/.exec(label)?.[1] ?? 0) > 50);
    },
    { polling: 250 },
  );
  return String(await found.jsonValue());
}

/**
 * Waits until a page has loaded without a problem in it.
 *
 * @param {import("puppeteer-core").Page} page
 */
async function settled(page) {
  await page.waitForFunction(() => document.querySelector("main .skeleton") === null);
  const problem = await page.evaluate(() => document.querySelector("main [role=alert]")?.textContent ?? null);
  if (problem !== null) throw new Error(`${page.url()}: ${problem}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const address = process.env.WEIR_ADDRESS;
  if (address === undefined) {
    console.error("usage: WEIR_ADDRESS=http://127.0.0.1:8088/#token=… npm run cluster-test");
    process.exit(2);
  }
  await test(address);
  console.log("the page works");
}
