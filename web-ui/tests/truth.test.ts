/** What the page says of a cluster on which something is wrong: one state for each thing, its cause, no old figures. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "puppeteer-core";
import { shows } from "./browser.mjs";
import { APPLICATION, FAILED, JOB, masterAnswers, NODE, VERTICES, WAITING } from "./fixture/cluster";
import type { FixtureServer } from "./fixture/server";
import { useBrowser, visit } from "./visit";
import type { Job } from "../app/model/shapes";

useBrowser();

const JOB_HASH = `#/applications/${APPLICATION}/jobs/${JOB}`;
const PROXY = `/proxy/${APPLICATION}`;
const PROGRESS = `${PROXY}/jobs/${JOB}/progress`;
const APPS = "/ws/v1/cluster/apps";
const SIGKILL = {
  code: "WEIR-TM-0002",
  message: "task host 1 in container_1700000000000_0007_01_000002 was ended by SIGKILL",
  task: "Count by word (2/2)",
  "consequence-count": 5,
};

const main = (page: Page) => page.$eval("main", (element) => element.innerText);
const badges = (page: Page, selector: string) => page.$$eval(`${selector} .badge`, (found) => found.map((one) => one.textContent ?? ""));

/** Changes what is told of one application, in the list and by itself. */
function change(server: FixtureServer, id: string, to: Record<string, unknown>): void {
  const list = server.answers[APPS] as { apps: { app: { id: string }[] } };
  const changed = list.apps.app.map((one) => (one.id === id ? { ...one, ...to } : one));
  server.answers[APPS] = { apps: { app: changed } };
  server.answers[`${APPS}/${id}`] = { app: changed.find((one) => one.id === id) };
}

/** The job is in a state, and its progress says more. */
function jobIs(server: FixtureServer, state: Job["state"], progress: Record<string, unknown>): void {
  Object.assign(server.answers, masterAnswers(PROXY, state));
  server.answers[PROGRESS] = { version: 1, state, restarts: 0, operators: [], ...progress };
}

/** An app master that ran well to the end of a job that failed. */
const endedInFailure = (server: FixtureServer) => {
  change(server, FAILED, { state: "FINISHED", finalStatus: "FAILED", progress: 100 });
  const attempt = { id: 1, startTime: 1, state: "FINISHED", finalStatus: "FAILED", diagnostics: "the job failed" };
  const path = `${APPS}/${FAILED}/appattempts`;
  server.answers[path] = { appAttempts: { appAttempt: [attempt] } };
  server.answers[`${path}/1/containers`] = { containers: {} };
};

test("the overview counts applications by how they ended, as its rows show them", async () => {
  await visit("", async ({ page }) => {
    await shows(page, "1 failed, 1 killed");
    const rows = await badges(page, "section[aria-label=Applications]");
    assert.deepEqual(rows.sort(), ["ACCEPTED", "FAILED", "KILLED", "RUNNING", "SUCCEEDED"]);
  }, { prepare: endedInFailure });
});

test("an application of a failed job, and its attempt, have one verdict and no progress", async () => {
  await visit(`#/applications/${FAILED}`, async ({ page }) => {
    await shows(page, "cannot open file:///data/clicks");
    assert.deepEqual(await badges(page, ".page-title"), ["FAILED"]);
    await shows(page, "the job failed");
    assert.deepEqual(await badges(page, "section[aria-label=Attempts]"), ["FAILED"]);
    const text = await main(page);
    assert.doesNotMatch(text, /FINISHED|Progress|100%/);
  }, { prepare: endedInFailure, expects: /404.*\/jobs\/overview/ });
});

test("an application that lacks containers says so in the list, and is not green", async () => {
  const starved = (server: FixtureServer) =>
    change(server, APPLICATION, { pendingContainers: 2, pendingReason: "no node has 2 GiB free" });
  await visit("#/applications", async ({ page }) => {
    await shows(page, "waits for 2 containers: no node has 2 GiB free");
    const tones = await page.$$eval(".badge", (found) => found.filter((one) => one.textContent === "RUNNING").map((one) => one.className));
    assert.deepEqual(tones, ["badge tone-wait"]);
  }, { prepare: starved });
});

test("a job that waits for containers says for what, and its vertices are scheduled", async () => {
  const waiting = "for 2 of 3 containers: no node has 2 GiB free";
  await visit(JOB_HASH, async ({ page }) => {
    await shows(page, `Waiting ${waiting}`);
    const text = await main(page);
    assert.match(text, /SCHEDULED/);
    assert.doesNotMatch(text, /DEPLOYING/);
  }, { prepare: (server) => jobIs(server, "CREATED", { waiting }) });
});

test("failed and restarting vertices show no load", async () => {
  for (const state of ["FAILED", "RESTARTING"] as const) {
    await visit(JOB_HASH, async ({ page }) => {
      await page.waitForSelector(".graph-vertex");
      await shows(page, "FAILED");
      await page.waitForFunction(() => document.querySelector(".skeleton") === null);
      assert.deepEqual(await page.$$eval(".graph-level, tbody .level", (levels) => levels.length), 0, state);
      const colours = await page.$$eval(".graph-head", (heads) => heads.map((head) => head.getAttribute("fill")));
      assert.deepEqual(new Set(colours), new Set(["#8f162b"]), state);
    }, { prepare: (server) => jobIs(server, state, {}) });
  }
});

test("the panel of a vertex that does not run shows no backpressure", async () => {
  await visit(`${JOB_HASH}?vertex=${VERTICES.count}&pane=backpressure`, async ({ page }) => {
    await shows(page, "The vertex does not run: it is FAILED.");
  }, { prepare: (server) => jobIs(server, "RESTARTING", {}) });
});

test("a job shows how often it was restarted and why, and where it failed", async () => {
  for (const [state, title] of [
    ["RUNNING", "Last restarted because of:"],
    ["RESTARTING", "Restarting because of:"],
    ["FAILED", "Cause of the failure:"],
  ] as const) {
    await visit(JOB_HASH, async ({ page }) => {
      await shows(page, title);
      await shows(page, "was ended by SIGKILL");
      await shows(page, "5 other failures followed from it");
      const facts = await page.$$eval(".facts-line > div", (found) => found.map((one) => one.textContent ?? ""));
      assert.ok(facts.includes("Restarts3"), facts.join());
    }, { prepare: (server) => jobIs(server, state, { restarts: 3, failure: SIGKILL }) });
  }
});

test("a failure has its consequences below it", async () => {
  await visit(`${JOB_HASH}/exceptions`, async ({ page }) => {
    await shows(page, "5 other failures followed from it");
    assert.equal((await page.$$(".failure")).length, 1);
    await page.$$eval(".failure summary", (found) => (found.at(-1) as HTMLElement).click());
    await shows(page, "Late words (1/2): the data connection with task host");
  });
});

test("subtasks are counted as subtasks, in lists and on the page of a job", async () => {
  const count = (page: Page, selector: string) => page.$eval(selector, (element) => element.textContent ?? "");
  await visit(JOB_HASH, async ({ page }) => {
    await shows(page, "Subtasks");
    assert.equal(await count(page, ".facts-line .counts"), "RUNNING 8");
  });
  await visit(`#/applications/${APPLICATION}`, async ({ page }) => {
    await page.waitForSelector("section[aria-label=Jobs] .counts");
    assert.equal(await count(page, "section[aria-label=Jobs] .counts"), "RUNNING 8");
    assert.doesNotMatch(await main(page), /\bTASKS\b|\bTasks\b/);
  });
});

test("a vertex without watermarks says that there is no event time", async () => {
  const path = `${PROXY}/jobs/${JOB}/vertices/${VERTICES.count}/watermarks`;
  const none = [0, 1].map((subtask) => ({ id: `${subtask}.currentInputWatermark`, value: "-9223372036854775808" }));
  await visit(`${JOB_HASH}?vertex=${VERTICES.count}&pane=watermarks`, async ({ page }) => {
    await shows(page, "No event time");
    assert.doesNotMatch(await main(page), /none yet/);
  }, { prepare: (server) => (server.answers[path] = none) });
});

test("every time of day names its zone", async () => {
  for (const hash of ["", `#/applications/${APPLICATION}`, JOB_HASH, `${JOB_HASH}/checkpoints`, `${JOB_HASH}/exceptions`, `#/nodes/${NODE}`]) {
    await visit(hash, async ({ page }) => {
      await page.waitForFunction(() => document.querySelector("main .skeleton") === null && document.querySelector("main time") !== null);
      const times = await page.$$eval("main time", (found) => found.map((one) => one.textContent ?? ""));
      assert.deepEqual(times.filter((time) => !/\d (UTC|[+-]\d\d:\d\d)$/.test(time)), [], hash);
    });
  }
});

test("no tab is cut off on a phone", async () => {
  for (const width of [420, 360]) {
    await visit(JOB_HASH, async ({ page }) => {
      await page.waitForSelector(".tabs");
      const right = await page.$$eval(".tabs a", (tabs) => Math.max(...tabs.map((tab) => tab.getBoundingClientRect().right)));
      assert.ok(right <= width, `${right} > ${width}`);
    }, { look: { width, height: 800 } });
  }
});

test("a node tells the memory of its containers from that of the machine", async () => {
  await visit(`#/nodes/${NODE}`, async ({ page }) => {
    await shows(page, "Memory used by containers");
    const facts = await page.$$eval(".facts > div", (found) => found.map((one) => one.textContent ?? ""));
    assert.ok(facts.includes("Memory used by containers1.40 GiB"), facts.join());
    assert.ok(facts.includes("Memory used on the node4.88 GiB"), facts.join());
  });
});

test("what is said below a state stays in its column, and a lost node has no memory in use", async () => {
  await visit("", async ({ page }) => {
    await shows(page, "no heartbeat for 10 s");
    const outside = await page.$$eval("td .reason", (found) =>
      found.filter((one) => one.getBoundingClientRect().right > (one.closest("td")?.getBoundingClientRect().right ?? 0) + 1).map((one) => one.textContent),
    );
    assert.deepEqual(outside, []);
    assert.doesNotMatch(await main(page), /0 B/);
  }, { look: { width: 420, height: 800 }, prepare: (server) => change(server, APPLICATION, { pendingContainers: 2, pendingReason: "no node has 2,048 MiB free" }) });
});

test("finished and cancelled vertices show no load", async () => {
  for (const state of ["FINISHED", "CANCELED"] as const) {
    await visit(JOB_HASH, async ({ page }) => {
      await page.waitForSelector(".graph-vertex");
      await shows(page, state);
      assert.equal((await page.$$(".graph-level, tbody .level")).length, 0, state);
      const colours = await page.$$eval(".graph-head", (heads) => heads.map((head) => head.getAttribute("fill")));
      assert.deepEqual(new Set(colours), new Set(["#a9b4c2"]), state);
    }, { prepare: (server) => jobIs(server, state, {}) });
  }
});

test("the question before a cancel says that tasks have a time limit to end", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await (await page.waitForSelector("::-p-text(Cancel job)"))?.click();
    await shows(page, "task.cancellation.timeout");
    assert.doesNotMatch(await page.$eval("dialog", (dialog) => dialog.innerText), /at once/);
  });
});

test("the checkpoints of a job come with their settings", async () => {
  await visit(`${JOB_HASH}/checkpoints`, async ({ page }) => {
    await page.waitForSelector("section[aria-label=Settings]");
    const facts = await page.$$eval("section[aria-label=Settings] .facts > div", (found) => found.map((one) => one.textContent ?? ""));
    for (const fact of ["Interval10s", "Keptafter a failure of the job", "Modeexactly once"]) {
      assert.ok(facts.some((one) => one.startsWith(fact)), `${fact}: ${facts.join()}`);
    }
  });
});

test("the configuration has each key with its source, also the defaults", async () => {
  await visit(`${JOB_HASH}/configuration`, async ({ page }) => {
    await page.waitForSelector("section[aria-label='Configuration of this job'] tbody");
    const rows = await page.$$eval("tbody tr", (found) => found.map((row) => [...row.children].map((cell) => cell.textContent)));
    assert.deepEqual(rows, [
      ["execution.checkpointing.interval", "10 s", "the program"],
      ["parallelism.default", "2", "flag -p"],
      ["state.backend.type", "hashmap", "the default"],
    ]);
  });
});

test("an application that ended before its app master started says that there was none", async () => {
  await visit(`#/applications/${WAITING}`, async ({ page }) => {
    await shows(page, "The application ended before its app master started.");
    assert.doesNotMatch(await main(page), /jobs on record|100%/i);
  }, {
    prepare: (server) => change(server, WAITING, { state: "KILLED", finalStatus: "KILLED", progress: 100, launchTime: 0, finishedTime: Date.now() }),
    expects: /404.*\/jobs\/overview/,
  });
});

test("a job whose app master failed leads to its application, which says where its end is", async () => {
  const hash = `#/applications/${FAILED}`;
  await visit(`${hash}/jobs/${JOB}`, async ({ page }) => {
    await shows(page, "No details of this job");
    await page.waitForSelector(`.empty a[href="${hash}"]`);
    assert.doesNotMatch(await main(page), /Could not find|removed/);
  }, { expects: /404/ });
  await visit(hash, async ({ page }) => {
    await shows(page, "weir list -a");
    assert.doesNotMatch(await main(page), /jobs on record/i);
  }, { prepare: (server) => change(server, FAILED, { launchTime: 1 }), expects: /404.*\/jobs\/overview/ });
});

test("the diagnostics of an attempt are shown whole", async () => {
  const diagnostics = "the app master's container was ended by signal 9: killed because it used more memory than the 256 MiB of its container";
  await visit(`#/applications/${FAILED}`, async ({ page }) => {
    await shows(page, diagnostics);
    const isCut = await page.$$eval("section[aria-label=Attempts] td *", (found) => found.some((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow === "hidden"));
    assert.equal(isCut, false);
    const mark = await page.$eval("section[aria-label=Attempts] .sort-mark", (element) => element.getBoundingClientRect().left);
    const frame = await page.$eval("section[aria-label=Attempts] .scroll-box", (element) => element.getBoundingClientRect().left);
    assert.ok(mark >= frame + 4, `${mark} is at the edge ${frame}`);
  }, {
    prepare: (server) => {
      const attempts = [1, 2].map((id) => ({ id, startTime: 1, state: "FAILED", diagnostics }));
      server.answers[`${APPS}/${FAILED}/appattempts`] = { appAttempts: { appAttempt: attempts } };
      for (const { id } of attempts) server.answers[`${APPS}/${FAILED}/appattempts/${id}/containers`] = { containers: {} };
    },
    expects: /404.*\/jobs\/overview/,
  });
});

test("a job that waits for its restart says when it comes and after which delay", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await shows(page, "Restart 3 follows 1m 30s after the failure, when all tasks have stopped: not before");
    await page.waitForSelector(".notice time");
  }, { prepare: (server) => jobIs(server, "RESTARTING", { restarts: 3, "restart-delay-ms": 90_000, failure: SIGKILL }) });
});

test("restarts name the app master that counts them, when it is not the first", async () => {
  for (const [attempt, expected] of [[1, "Restarts2"], [2, "Restarts2 under app master 2"]] as const) {
    await visit(JOB_HASH, async ({ page }) => {
      await page.waitForFunction(() => document.querySelector(".facts-line")?.textContent?.includes("Restarts2"));
      const facts = await page.$$eval(".facts-line > div", (found) => found.map((one) => one.textContent ?? ""));
      assert.ok(facts.includes(expected), facts.join());
    }, { prepare: (server) => jobIs(server, "RUNNING", { restarts: 2, "app-master-attempt": attempt }) });
  }
});

test("a job has the time of its submission, and of its states the time at which each was entered last", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await shows(page, "Subtasks");
    const titles = await page.$$eval(".facts-line dt", (found) => found.map((one) => one.textContent ?? ""));
    assert.ok(titles.includes("Submitted") && titles.includes("States, last entered"), titles.join());
    assert.ok(!titles.includes("Started"), titles.join());
  });
});

test("a failure in a task that the graph does not show says so", async () => {
  const hidden = "The graph does not show this task.";
  for (const [task, isHidden] of [["Lines: enumerator (1/1)", true], [SIGKILL.task, false]] as const) {
    await visit(JOB_HASH, async ({ page }) => {
      await shows(page, "was ended by SIGKILL");
      assert.equal((await main(page)).includes(hidden), isHidden, task);
    }, { prepare: (server) => jobIs(server, "FAILED", { failure: { ...SIGKILL, task } }) });
  }
});
