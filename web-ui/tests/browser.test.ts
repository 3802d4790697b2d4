/** The built page in Chromium, on the made-up cluster: what it shows, sends, and never does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type KeyInput, type Page, TimeoutError } from "puppeteer-core";
import { open, PATIENCE_MS, shows } from "./browser.mjs";
import { APPLICATION, CONTAINER, ENDED, ENDED_JOB, FAILED, JOB, masterAnswers, NODE, TOKEN, VERTICES, WAITING } from "./fixture/cluster";
import { FixtureServer } from "./fixture/server";
import { browser, useBrowser, visit } from "./visit";

useBrowser();

const JOB_HASH = `#/applications/${APPLICATION}/jobs/${JOB}`;

const text = (page: Page, selector: string) => page.$eval(selector, (element) => (element as HTMLElement).innerText);
const texts = (page: Page, selector: string) => page.$$eval(selector, (elements) => elements.map((element) => element.textContent ?? ""));
const focused = (page: Page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
const address = (page: Page) => page.evaluate(() => location.hash);

/** Waits until a condition in the page holds. */
async function until(page: Page, condition: string): Promise<void> {
  await page.waitForFunction(condition, { polling: 50 });
}

/** Waits until the graph shows the load of every vertex: each is asked for on its own. */
async function untilLoaded(page: Page): Promise<void> {
  await until(page, `document.querySelectorAll(".graph-level").length === ${Object.keys(VERTICES).length}`);
}

/** Presses keys until a condition in the page holds: some count only in quick succession, and a machine may pause. */
async function pressUntil(page: Page, keys: KeyInput[], condition: string): Promise<void> {
  for (const start = Date.now(); ; ) {
    for (const key of keys) await page.keyboard.press(key);
    try {
      await page.waitForFunction(condition, { timeout: 2_000, polling: 50 });
      return;
    } catch (error) {
      if (!(error instanceof TimeoutError) || Date.now() - start > PATIENCE_MS) throw error;
    }
  }
}

/** Clicks the button or link with a text. */
async function click(page: Page, name: string): Promise<void> {
  await (await page.waitForSelector(`::-p-text(${name})`))?.click();
}

test("the overview shows figures, applications and nodes", async () => {
  await visit("", async ({ page }) => {
    for (const expected of ["5 GiB", "of 8 GiB", "1 lost", "word count", "ACCEPTED", "SUCCEEDED", "12m 34s", NODE, "LOST"]) await shows(page, expected);
    assert.equal(await page.title(), "Cluster · Weir");
  });
});

test("applications are filtered and searched, and the address keeps it", async () => {
  await visit("#/applications", async ({ page }) => {
    await shows(page, "nightly report");
    const names = () => texts(page, "tbody tr td:first-child a");
    assert.equal((await names()).length, 5);
    await click(page, "ended");
    await until(page, "document.querySelectorAll('tbody tr').length === 3");
    await page.keyboard.press("/");
    await page.keyboard.type("grace");
    await until(page, "document.querySelectorAll('tbody tr').length === 1");
    assert.deepEqual(await names(), ["click sessions"]);
    assert.equal(await address(page), "#/applications?show=ended&search=grace");
    await page.reload();
    await shows(page, "click sessions");
    assert.equal((await names()).length, 1);
    await page.keyboard.press("/");
    await page.keyboard.type(" nobody");
    await shows(page, "No application matches");
  });
});

test("headings sort", async () => {
  await visit("#/applications", async ({ page }) => {
    await shows(page, "nightly report");
    await click(page, "Duration");
    const first = () => text(page, "tbody tr:first-child a");
    await until(page, "document.querySelector('th[aria-sort=ascending]') !== null");
    assert.equal(await first(), "nightly report");
    await click(page, "Duration");
    await until(page, "document.querySelector('th[aria-sort=descending]') !== null");
    assert.equal(await first(), "top customers");
  });
});

test("a waiting application says why it waits", async () => {
  await visit(`#/applications/${WAITING}`, async ({ page }) => {
    await shows(page, "Waiting for containers");
    await shows(page, "The app master of 1.50 GiB and 1 core");
    await shows(page, "1 application is before it in queue default");
    await shows(page, "The app master has not started.");
  });
});

test("a failed application shows its diagnostics, and no button to kill it", async () => {
  const noRecord = { expects: /404.*\/jobs\/overview/ };
  await visit(`#/applications/${FAILED}`, async ({ page }) => {
    await shows(page, "cannot open file:///data/clicks");
    await shows(page, "No details of its jobs");
    assert.doesNotMatch(await text(page, "main"), /Kill application/);
  }, noRecord);
});

test("a running application shows containers and leads to logs and job", async () => {
  await visit(`#/applications/${APPLICATION}`, async ({ page }) => {
    await shows(page, "container_1700000000000_0007_01_000003");
    for (const link of [JOB_HASH, `#/logs/${NODE}/${CONTAINER}/stderr`]) await page.waitForSelector(`main a[href="${link}"]`);
  });
});

test("killing asks first and sends the token", async () => {
  await visit(`#/applications/${APPLICATION}?token=${TOKEN}`, async ({ page, server }) => {
    await click(page, "Kill application");
    await shows(page, "Kill word count?");
    assert.equal(server.lastChange(), undefined);
    await page.keyboard.press("Escape");
    await until(page, "document.querySelector('dialog') === null");
    assert.equal(await focused(page), "Kill application");
    await page.keyboard.press("Enter");
    await (await page.waitForSelector("dialog .button-danger-solid"))?.click();
    await shows(page, "Request sent");
    const change = server.lastChange();
    assert.deepEqual([change?.method, change?.url], ["PUT", `/ws/v1/cluster/apps/${APPLICATION}/state`]);
    assert.deepEqual(JSON.parse(change?.body ?? ""), { state: "KILLED" });
    assert.equal(change?.authorization, `Bearer ${TOKEN}`);
  });
});

test("the token leaves the address at once and goes out with nothing but changes", async () => {
  await visit(`#token=${TOKEN}`, async ({ page, server }) => {
    await shows(page, "word count");
    assert.equal(await address(page), "#/");
    assert.ok((await page.evaluate(() => document.referrer + location.href)).includes(TOKEN) === false);
    await page.reload();
    await shows(page, "Forget token");
    assert.ok(server.asked.length > 0);
    assert.deepEqual(server.asked.filter((one) => one.authorization !== undefined), []);
  });
});

test("without a token the button explains where it is, and takes a pasted one", async () => {
  await visit(JOB_HASH, async ({ page, server }) => {
    await click(page, "Cancel job");
    await shows(page, "weir cluster start");
    await page.type("dialog input", "two words");
    await page.keyboard.press("Enter");
    await shows(page, "neither a token nor an address");
    await page.$eval("dialog input", (field) => (field as HTMLInputElement).select());
    await page.type("dialog input", `http://127.0.0.1:8088/#token=${TOKEN}`);
    await page.keyboard.press("Enter");
    await (await page.waitForSelector("dialog .button-danger-solid"))?.click();
    await shows(page, "Cancelling…");
    await shows(page, "CANCELLING");
    const change = server.lastChange();
    assert.deepEqual([change?.method, change?.url], ["PATCH", `/proxy/${APPLICATION}/jobs/${JOB}?mode=cancel`]);
    assert.equal(change?.authorization, `Bearer ${TOKEN}`);
  });
});

test("a wrong token is refused, told, and asked for again", async () => {
  const refused = { expects: /401/ };
  await visit(`${JOB_HASH}?token=wrong`, async ({ page }) => {
    await click(page, "Cancel job");
    await (await page.waitForSelector("dialog .button-danger-solid"))?.click();
    await shows(page, "the token is wrong");
    await page.waitForSelector("dialog input");
  }, refused);
});

test("the graph shows ratio and level of each vertex, coloured by its load", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await untilLoaded(page);
    const cards = await texts(page, ".graph-vertex");
    assert.ok(cards[0]?.includes("Backpressured (max): 93%HIGH"), cards[0]);
    assert.ok(cards[1]?.includes("Backpressured (max): 31%LOW") && cards[1].includes("Busy (max): 71%"), cards[1]);
    assert.ok(cards[3]?.includes("Backpressured (max): 0%OK") && cards[3].includes("Busy (max): 100%"), cards[3]);
    assert.deepEqual((await texts(page, ".graph-edge")).sort(), ["FORWARD", "HASH", "REBALANCE"]);
    const colours = await page.$$eval(".graph-head", (heads) => heads.map((head) => head.getAttribute("fill")));
    assert.equal(new Set(colours).size, 4);
    assert.equal(colours[3], "#e5484d");
    assert.equal(await page.title(), "word count · RUNNING · Weir");
  });
});

test("the archived list of metrics is the only one asked for", async () => {
  await visit(JOB_HASH, async ({ page, server }) => {
    await page.waitForSelector(".graph-level");
    const asked = server.asked.filter((one) => one.url.includes("/subtasks/metrics"));
    const lists = new Set(asked.map((one) => one.url.split("?get=")[1]));
    assert.deepEqual([...lists], ["backPressuredTimeMsPerSecond,busyTimeMsPerSecond,idleTimeMsPerSecond,numRecordsInPerSecond,numRecordsOutPerSecond"]);
  });
});

test("the graph is walked by arrow keys, Enter opens a vertex and Esc closes it", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await untilLoaded(page);
    await page.$eval(`[data-vertex="${VERTICES.source}"]`, (vertex) => (vertex as SVGGElement).focus());
    await page.keyboard.press("ArrowRight");
    assert.match(await focused(page), /^Count by word, parallelism 2, backpressured 31% LOW, busy 71%$/);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".panel table");
    assert.equal(await address(page), `${JOB_HASH}?vertex=${VERTICES.count}`);
    await page.keyboard.press("Escape");
    await until(page, "document.querySelector('.panel') === null");
    assert.match(await focused(page), /^Count by word/);
    assert.equal(await address(page), JOB_HASH);
  });
});

test("the panel of a vertex shows subtasks, backpressure, watermarks, metrics and hosts", async () => {
  const clickPane = (page: Page, pane: string) => page.click(`.panel .tabs a[href$="pane=${pane}"]`);
  await visit(`${JOB_HASH}?vertex=${VERTICES.count}`, async ({ page }) => {
    await shows(page, "127.0.0.1:35002");
    await shows(page, "24.1M");
    await clickPane(page, "backpressure");
    await shows(page, "OK up to 10%, LOW up to 50%");
    assert.deepEqual(await texts(page, ".panel tbody td:nth-child(2)"), ["LOW", "LOW"]);
    await clickPane(page, "watermarks");
    await shows(page, "none yet");
    await clickPane(page, "hosts");
    await shows(page, CONTAINER);
    await clickPane(page, "metrics");
    await (await page.waitForSelector("::-p-text(1.busyTimeMsPerSecond)"))?.click();
    await until(page, "document.querySelector('.spark polyline')?.getAttribute('points').length > 10");
  });
});

test("checkpoints, exceptions, task managers and configuration have their tabs", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await shows(page, "Checkpoints");
    for (const [tab, expected] of [
      ["Checkpoints", ["73", "chk-74", "the task host of Count by word (2/2) was lost", "IN_PROGRESS", "3/8", "315 KiB"]],
      ["Exceptions", ["WEIR-TASK-0001", "index out of bounds", "2 of 2", "127.0.0.1:35002", CONTAINER, "RUST_BACKTRACE"]],
      ["Task managers", ["127.0.0.1:40961/4712", "212 MiB"]],
      ["Configuration", ["fixed-delay, 3 attempts", "execution.checkpointing.interval", "the program", "flag -p", "the default"]],
    ] as const) {
      await click(page, tab);
      for (const one of expected) await shows(page, one);
    }
    await page.evaluate((hash) => (location.hash = hash), `${JOB_HASH}/exceptions`);
    await until(page, `[...document.querySelectorAll('a')].some((link) => link.getAttribute('href') === '#/logs/${NODE}/${CONTAINER}/stderr')`);
  });
});

test("a job without checkpoints says so", async () => {
  const missing = { expects: /404.*checkpoints/ };
  await visit(JOB_HASH, async ({ page, server }) => {
    delete server.answers[`/proxy/${APPLICATION}/jobs/${JOB}/checkpoints`];
    await click(page, "Checkpoints");
    await shows(page, "Checkpointing is off");
  }, missing);
});

test("an ended job is shown from its archive, asked once, and cannot be cancelled", async () => {
  await visit(`#/applications/${ENDED}/jobs/${ENDED_JOB}`, async ({ page, server }) => {
    await shows(page, "FINISHED");
    await page.waitForSelector(".graph-vertex");
    await shows(page, "N/A");
    assert.doesNotMatch(await text(page, "main"), /Cancel job/);
    const count = () => server.asked.filter((one) => one.url.includes(ENDED_JOB)).length;
    await click(page, "Checkpoints");
    for (const expected of ["chk-74", "Tolerable failures"]) await shows(page, expected);
    const before = count();
    // A page of a running job goes on asking meanwhile; this one must not.
    const witness = await open(browser(), `${server.address}/${JOB_HASH}`);
    await server.untilAsked(`/jobs/${JOB}`, 5);
    await witness.close();
    assert.equal(count(), before);
  });
});

test("the page of a job follows it to its end", async () => {
  await visit(JOB_HASH, async ({ page, server }) => {
    await shows(page, "RUNNING");
    Object.assign(server.answers, masterAnswers(`/proxy/${APPLICATION}`, "FINISHED"));
    await until(page, "document.querySelector('.page-title .badge').textContent === 'FINISHED'");
    await until(page, "document.querySelector('.page-actions button') === null");
  });
});

test("logs are followed, by file, without leaving out what was rotated", async () => {
  await visit(`#/logs/${NODE}/${CONTAINER}/stderr`, async ({ page, server }) => {
    await shows(page, "checkpoint 39 acknowledged");
    await shows(page, "stderr.1");
    const lines = () => page.$eval(".log", (log) => log.textContent?.split("\n").length ?? 0);
    const first = await lines();
    await page.waitForFunction((count) => (document.querySelector(".log")?.textContent?.split("\n").length ?? 0) > count, {}, first);
    const isAtEnd = () => page.$eval(".log", (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 24);
    assert.ok(await isAtEnd());
    assert.ok(server.asked.some((one) => one.url.endsWith("/logs/stderr?size=-262144")));
    // Scrolling up stops following.
    await page.focus(".log");
    await pressUntil(page, ["Home"], "document.querySelector('.toolbar input').checked === false");
    await page.evaluate((hash) => (location.hash = hash), `#/logs/${NODE}/${CONTAINER}/stdout`);
    await shows(page, "stdout is empty");
  });
});

test("a node shows its resources and containers", async () => {
  await visit(`#/nodes/${NODE}`, async ({ page }) => {
    for (const expected of ["3 GiB", "/ 4 GiB", CONTAINER, "1.40 GiB", "Agent started"]) await shows(page, expected);
  });
});

test("jobs of all applications are listed together", async () => {
  await visit("#/jobs", async ({ page }) => {
    await shows(page, "word count (yesterday)");
    assert.equal((await texts(page, "tbody tr")).length, 2);
  });
});

test("the app master's own page shows its jobs", async () => {
  const unknown = { kind: "app-master", expects: /404.*ws\/v1\/cluster/ } as const;
  await visit("", async ({ page, server }) => {
    await shows(page, "App master");
    await click(page, "word count");
    await page.waitForSelector(".graph-level");
    assert.equal(await address(page), `#/jobs/${JOB}`);
    assert.deepEqual(await texts(page, ".main-nav a"), ["Overview", "Jobs"]);
    await page.evaluate((hash) => (location.hash = hash), `#/jobs/${JOB}?token=${TOKEN}`);
    await click(page, "Cancel job");
    await (await page.waitForSelector("dialog .button-danger-solid"))?.click();
    await shows(page, "CANCELLING");
    assert.equal(server.lastChange()?.url, `/jobs/${JOB}?mode=cancel`);
  }, unknown);
});

test("behind the proxy the app master's page reaches job, logs and cluster", async () => {
  const unknown = { path: `proxy/${APPLICATION}/`, expects: /404.*ws\/v1\/cluster\/info/ };
  await visit(`#/jobs/${JOB}/exceptions`, async ({ page }) => {
    await shows(page, "index out of bounds");
    await (await page.waitForSelector(`a[href="../../#/logs/${NODE}/${CONTAINER}/stderr"]`))?.click();
    await shows(page, "checkpoint 39 acknowledged");
    assert.ok(!page.url().includes("/proxy/"));
  }, unknown);
});

test("a lost connection is told, what was shown stays, and it mends itself", async () => {
  const cut = { expects: /net::ERR|Failed to load resource/ };
  await visit(JOB_HASH, async ({ page, server }) => {
    await page.waitForSelector(".graph-level");
    server.isDown = true;
    await shows(page, "Connection lost.");
    await shows(page, "Trying again.");
    assert.ok((await text(page, "h1")).includes("word count"));
    assert.equal((await page.$$(".graph-vertex")).length, 4);
    server.isDown = false;
    await until(page, "document.querySelector('.connection').textContent === ''");
  }, cut);
});

test("a page that loads while the server is down comes up with it", async () => {
  const server = await FixtureServer.start();
  server.isDown = true;
  const { page, close } = await open(browser(), server.address);
  try {
    await shows(page, "The server does not answer");
    server.isDown = false;
    await shows(page, "word count");
  } finally {
    await close();
    await server.stop();
  }
});

test("a server that never answers is given up", async () => {
  const server = await FixtureServer.start();
  server.silent.add("/ws/v1/cluster/nodes");
  const { page, complaints, close } = await open(browser(), `${server.address}/#/nodes`);
  try {
    await page.waitForSelector(".skeleton");
    await page.waitForFunction(() => document.body.innerText.includes("no answer within 10 seconds"));
    assert.deepEqual(complaints, []);
  } finally {
    await close();
    await server.stop();
  }
});

test("an answer that fails leaves the last good one in view, and says so", async () => {
  const failing = { expects: /404/ };
  await visit("#/nodes", async ({ page, server }) => {
    await shows(page, NODE);
    delete server.answers["/ws/v1/cluster/nodes"];
    await shows(page, "Showing the nodes as of");
    await shows(page, NODE);
  }, failing);
});

test("nothing is asked while the tab is hidden", async () => {
  await visit("#/nodes", async ({ page, server }) => {
    await shows(page, NODE);
    const hide = (isHidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isHidden);
    // Another tab, which is in view, tells how often a page asks.
    const witness = await open(browser(), `${server.address}/#/applications`);
    await hide(true);
    // One that is under way may still come.
    await server.untilAsked("/apps", 2);
    const before = server.count("/nodes");
    await server.untilAsked("/apps", 2);
    assert.equal(server.count("/nodes"), before);
    await witness.close();
    await hide(false);
    await server.untilAsked("/nodes", 1);
  });
});

test("polling keeps focus, scroll and the rows themselves", async () => {
  await visit(`${JOB_HASH}?vertex=${VERTICES.count}`, async ({ page }) => {
    await page.waitForSelector(".panel table");
    await page.focus(".panel .tabs a");
    await page.evaluate(() => {
      window.scrollTo(0, 120);
      (document.querySelector(".panel tbody tr") as HTMLElement).dataset.mark = "same";
    });
    for (let polls = 0; polls < 3; polls += 1) await page.waitForResponse((response) => response.url().endsWith(`/jobs/${JOB}`));
    assert.deepEqual(
      await page.evaluate(() => [document.activeElement?.textContent, window.scrollY, (document.querySelector(".panel tbody tr") as HTMLElement).dataset.mark]),
      ["Subtasks", 120, "same"],
    );
  }, { look: { height: 500 } });
});

test("the keyboard alone is enough", async () => {
  await visit("", async ({ page }) => {
    await shows(page, "word count");
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Skip to the page");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
    assert.equal(await address(page), "");
    await page.focus("tbody tr:first-child a");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(page), "word count");
    await page.keyboard.press("Enter");
    await shows(page, "Kill application");
    assert.equal(await focused(page), "word count", "the focus is on the heading");
    await pressUntil(page, ["g", "n"], "document.querySelector('h1').textContent === 'Nodes'");
    await page.keyboard.press("?");
    await shows(page, "Between the vertices of the job graph");
    await page.keyboard.press("Escape");
    await until(page, "document.querySelector('dialog') === null");
  });
});

test("what has the focus shows it", async () => {
  await visit(JOB_HASH, async ({ page }) => {
    await page.waitForSelector(".graph-level");
    const unseen: string[] = [];
    for (let steps = 0; steps < 40; steps += 1) {
      await page.keyboard.press("Tab");
      const found = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return { name: "", isSeen: true, isEnd: true };
        const frame = element.querySelector(".graph-frame");
        const isSeen = frame !== null ? getComputedStyle(frame).strokeWidth === "4px" : getComputedStyle(element).outlineStyle !== "none";
        return { name: element.outerHTML.slice(0, 80), isSeen, isEnd: false };
      });
      if (found.isEnd) break;
      if (!found.isSeen) unseen.push(found.name);
    }
    assert.deepEqual(unseen, []);
  });
});

test("everything that can be used has a name, and headings and landmarks are there", async () => {
  for (const hash of ["", "#/applications", JOB_HASH, `${JOB_HASH}?vertex=${VERTICES.count}`, `${JOB_HASH}/checkpoints`, `#/logs/${NODE}/${CONTAINER}/stderr`]) {
    await visit(hash, async ({ page }) => {
      await until(page, "document.querySelector('main .skeleton') === null && document.querySelector('main h1') !== null");
      const nameless: string[] = [];
      const walk = (node: { role: string; name?: string; children?: unknown[] }) => {
        const isUsed = ["button", "link", "textbox", "searchbox", "combobox", "checkbox", "table", "meter"].includes(node.role);
        if (isUsed && (node.name ?? "") === "") nameless.push(JSON.stringify(node));
        for (const child of node.children ?? []) walk(child as typeof node);
      };
      const tree = await page.accessibility.snapshot({ interestingOnly: false });
      assert.ok(tree !== null);
      walk(tree as unknown as Parameters<typeof walk>[0]);
      assert.deepEqual(nameless, [], hash);
      assert.equal((await page.$$("h1")).length, 1, hash);
      assert.equal((await page.$$("main")).length, 1);
    });
  }
});

const background = (page: Page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

test("light and dark follow the system until one is chosen, and the choice stays", async () => {
  await visit("", async ({ page }) => {
    await shows(page, "word count");
    const light = await background(page);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    const dark = await background(page);
    assert.notEqual(light, dark);
    const toggle = "button[aria-label^='Colour theme']";
    await page.click(toggle);
    assert.equal(await page.$eval(toggle, (button) => button.getAttribute("aria-label")), "Colour theme: light");
    assert.equal(await background(page), light);
    await page.reload();
    await shows(page, "word count");
    assert.equal(await background(page), light);
    await page.click(toggle);
    assert.equal(await background(page), dark);
  });
});

test("texts stand out enough in light and dark", async () => {
  for (const scheme of ["light", "dark"] as const) {
    await visit(JOB_HASH, async ({ page }) => {
      await page.waitForSelector("tbody tr");
      const faint = await page.evaluate(() => {
        const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
        const rgb = (colour: string) => {
          canvas.clearRect(0, 0, 1, 1);
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const luminance = (colour: number[]) => {
          const [r = 0, g = 0, b = 0] = colour.slice(0, 3).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (element: Element): number[] => {
          for (let one: Element | null = element; one !== null; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if ((channels(colour)[3] ?? 1) !== 0) return rgb(colour);
          }
          return rgb(getComputedStyle(document.documentElement).backgroundColor);
        };
        const found: string[] = [];
        for (const element of document.querySelectorAll("body *:not(svg *)")) {
          const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== "");
          if (!hasText || element.closest(".skip, .hidden, noscript, script") !== null || element.matches(":disabled")) continue;
          const [text, ground] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))];
          const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
          if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent?.slice(0, 30)}`);
        }
        return found;
      });
      assert.deepEqual(faint, [], scheme);
    }, { look: { scheme } });
  }
});

test("a phone scrolls tables, never the page, sideways", async () => {
  for (const hash of ["", `#/applications/${APPLICATION}`, JOB_HASH, `${JOB_HASH}?vertex=${VERTICES.count}`, `${JOB_HASH}/checkpoints`, `${JOB_HASH}/exceptions`, `#/nodes/${NODE}`, `#/logs/${NODE}/${CONTAINER}/stderr`]) {
    await visit(hash, async ({ page }) => {
      await until(page, "document.querySelector('main .skeleton') === null && document.querySelector('main h1') !== null");
      const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok((wide ?? 0) <= (inner ?? 0), `${hash}: ${wide} > ${inner}`);
    }, { look: { width: 360, height: 740 } });
  }
});

test("addresses that lead nowhere say so", async () => {
  const missing = { expects: /404/ };
  await visit("#/nonsense", async ({ page }) => shows(page, "No such page"));
  await visit("#/applications/application_1_0001", async ({ page }) => shows(page, "Could not find the application"), missing);
});
