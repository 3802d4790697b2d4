/** Visits: an address of a fresh made-up cluster in a browser, and a page that must not complain. */

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { Browser, Page } from "puppeteer-core";
import { launch, open } from "./browser.mjs";
import { FixtureServer } from "./fixture/server";

let started: Browser | undefined;

/** Starts the browser before the tests of a file, and ends it after them. */
export function useBrowser(): void {
  before(async () => {
    started = await launch();
  });
  after(async () => {
    await started?.close();
  });
}

/** The browser of this file. */
export function browser(): Browser {
  if (started === undefined) throw new Error("the browser has not been started");
  return started;
}

type Look = Parameters<typeof open>[2];

export interface Visit {
  page: Page;
  server: FixtureServer;
  complaints: string[];
}

export interface VisitOptions {
  kind?: "app-master";
  look?: Look;
  path?: string;
  /** Complaints that belong to the test. */
  expects?: RegExp;
  /** Changes what the server answers before the page asks. */
  prepare?: (server: FixtureServer) => void;
}

/** Opens an address of a fresh server; afterwards the page must have nothing to complain about. */
export async function visit(hash: string, look: (visit: Visit) => Promise<void>, options: VisitOptions = {}): Promise<void> {
  const server = await FixtureServer.start(options.kind);
  options.prepare?.(server);
  const { page, complaints, close } = await open(browser(), `${server.address}/${options.path ?? ""}${hash}`, options.look);
  try {
    await look({ page, server, complaints });
    const unexpected = complaints.filter((complaint) => options.expects?.test(complaint) !== true);
    assert.deepEqual(unexpected, []);
  } finally {
    await close();
    await server.stop();
  }
}
