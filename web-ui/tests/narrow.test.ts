/** The page on a phone: nothing is out of reach, and a table that is wider than the window shows it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "puppeteer-core";
import { APPLICATION, JOB } from "./fixture/cluster";
import type { ClusterMetrics } from "../app/model/shapes";
import { useBrowser, visit } from "./visit";

useBrowser();

const PHONE = { look: { width: 420, height: 800 } };
const JOB_HASH = `#/applications/${APPLICATION}/jobs/${JOB}`;

/** Waits until the tables of the page are there. */
async function untilTables(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("main .skeleton") === null && document.querySelector("main tbody") !== null);
}

test("a table that is wider than a phone marks the side on which it goes on", async () => {
  for (const hash of [`#/applications/${APPLICATION}`, `${JOB_HASH}/taskmanagers`, "#/jobs"]) {
    await visit(hash, async ({ page }) => {
      await untilTables(page);
      await page.waitForFunction(() =>
        [...document.querySelectorAll(".scroll-box")].every((box) => (box.scrollWidth > box.clientWidth + 1) === box.classList.contains("goes-on-right")),
      );
      const wide = await page.$$eval(".scroll-box.goes-on-right", (boxes) => boxes.length);
      assert.ok(wide > 0, hash);
      const hasShade = await page.$eval(".scroll-box.goes-on-right", (box) => getComputedStyle(box).boxShadow.includes("inset"));
      assert.ok(hasShade, hash);
      await page.$eval(".scroll-box.goes-on-right", (box) => box.scrollTo(box.scrollWidth, 0));
      await page.waitForSelector(".scroll-box.goes-on-left:not(.goes-on-right)");
    }, PHONE);
  }
});

test("a figure stays within its tile", async () => {
  await visit("#/", async ({ page }) => {
    await page.waitForSelector(".tile-value .faint");
    const over = await page.$$eval(".tile", (tiles) =>
      tiles.flatMap((tile) => [...tile.querySelectorAll("dd *")].filter((part) => part.getBoundingClientRect().right > tile.getBoundingClientRect().right).map((part) => part.textContent)),
    );
    assert.deepEqual(over, []);
  }, {
    look: { width: 390, height: 800 },
    prepare: (server) => {
      const answer = server.answers["/ws/v1/cluster/metrics"] as { clusterMetrics: ClusterMetrics };
      Object.assign(answer.clusterMetrics, { allocatedMB: 3584, totalMB: 12_288 });
    },
  });
});

test("keys of the configuration, their values and sources fit a phone", async () => {
  await visit(`${JOB_HASH}/configuration`, async ({ page }) => {
    await untilTables(page);
    const right = await page.$$eval("tbody td > *", (cells) => Math.max(...cells.map((cell) => cell.getBoundingClientRect().right)));
    assert.ok(right <= 420, `${right} > 420`);
    const sources = await page.$$eval("tbody td:nth-child(3)", (cells) => cells.map((cell) => cell.getBoundingClientRect().right));
    assert.ok(Math.max(...sources) <= 420, sources.join());
  }, {
    ...PHONE,
    prepare: (server) => {
      const entry = { key: "execution.checkpointing.externalized-checkpoint-retention", value: "RETAIN_ON_CANCELLATION", source: "the environment variable WEIR_EXECUTION" };
      const path = `/proxy/${APPLICATION}/jobs/${JOB}/config`;
      server.answers[path] = { ...(server.answers[path] as object), "weir-configuration": [entry] };
    },
  });
});
