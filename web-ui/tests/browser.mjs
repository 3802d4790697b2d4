/**
 * Chromium without a window, and pages in it that report what must not happen: errors, errors on the
 * console, and requests to anywhere but their server.
 */

import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";

const USUAL_PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** How long something may take that must come; the machine may be busy with other things. */
export const PATIENCE_MS = 60_000;

/** The browser: `WEIR_CHROMIUM`, or where it usually is. */
export function chromium() {
  const found = [process.env.WEIR_CHROMIUM ?? "", ...USUAL_PLACES].find((place) => place !== "" && existsSync(place));
  if (found === undefined) throw new Error("no Chromium found: install it (apt-get install chromium), or name one in WEIR_CHROMIUM");
  return found;
}

/** Starts the browser. */
export async function launch() {
  return puppeteer.launch({
    executablePath: chromium(),
    timeout: PATIENCE_MS,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run", "--disable-gpu"],
    defaultViewport: { width: 1440, height: 900 },
  });
}

/**
 * Opens a page and watches it.
 *
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} address Where to go.
 * @param {{ scheme?: "light" | "dark", width?: number, height?: number, scale?: number }} [look]
 */
export async function open(browser, address, look = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const origin = new URL(address).origin;
  /** @type {string[]} */
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error instanceof Error ? error.message : String(error)}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warn") complaints.push(`console: ${message.text()} ${message.location().url ?? ""}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) complaints.push(`foreign: ${request.url()}`);
  });
  await page.setViewport({ width: look.width ?? 1440, height: look.height ?? 900, deviceScaleFactor: look.scale ?? 1 });
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: look.scheme ?? "light" },
    { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  await page.goto(address, { waitUntil: "load" });
  return { page, complaints, close: () => context.close() };
}

/**
 * Waits until the page shows a text.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} text
 */
export async function shows(page, text) {
  try {
    await page.waitForFunction((wanted) => document.body.innerText.includes(wanted), { polling: 50 }, text);
  } catch {
    const found = await page.evaluate(() => document.body.innerText);
    throw new Error(`the page does not show ${JSON.stringify(text)}, but:\n${found}`);
  }
}
