/**
 * Builds the page and the tests, and runs the tests: `npm test`, or `npm test -- browser` for those
 * whose names begin so.
 */

import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import "./build.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = path.join(root, "build/tests");
const wanted = process.argv.slice(2);
const names = readdirSync(path.join(root, "tests"))
  .filter((name) => name.endsWith(".test.ts") || name.endsWith(".test.tsx"))
  .filter((name) => wanted.length === 0 || wanted.some((begin) => name.startsWith(begin)));
if (names.length === 0) {
  console.error(`no test begins with ${wanted.join(", ")}`);
  process.exit(2);
}

rmSync(out, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: names.map((name) => path.join("tests", name)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  jsx: "automatic",
  jsxImportSource: "preact",
  sourcemap: "inline",
  logLevel: "warning",
});

const files = names.map((name) => path.join(out, name.replace(/\.tsx?$/, ".mjs")));
const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { cwd: root, stdio: "inherit" });
process.exit(run.status ?? 1);
