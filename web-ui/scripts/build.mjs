/**
 * Builds the page: `dist/index.html`, and below `dist/assets/` files with a hash of their content
 * in their names, so that they may be cached for ever. `--watch` builds again after each change.
 */

import { context, build } from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, "dist");
const entries = { early: "app/early.ts", main: "app/main.tsx", style: "app/style/index.css", icon: "app/icon.svg" };

const index = {
  name: "index",
  setup(build) {
    build.onEnd(async (result) => {
      if (result.errors.length === 0) await writeOut(result);
    });
  },
};

async function writeOut(result) {
  await rm(dist, { recursive: true, force: true });
  await mkdir(path.join(dist, "assets"), { recursive: true });
  for (const file of result.outputFiles) await writeFile(file.path, file.contents);
  let html = await readFile(path.join(root, "app/index.html"), "utf8");
  for (const [output, { entryPoint }] of Object.entries(result.metafile.outputs)) {
    const name = Object.keys(entries).find((key) => entries[key] === entryPoint);
    const isCode = output.endsWith(".js") === (name === "early" || name === "main");
    if (name !== undefined && isCode) html = html.replace(`{{${name}}}`, path.posix.relative("dist", output));
  }
  const left = /\{\{\w+\}\}/.exec(html);
  if (left !== null) throw new Error(`app/index.html names ${left[0]}, which was not built`);
  await writeFile(path.join(dist, "index.html"), html);
}

const options = {
  absWorkingDir: root,
  entryPoints: Object.entries(entries).map(([out, file]) => ({ in: file, out })),
  outdir: "dist/assets",
  entryNames: "[name]-[hash]",
  bundle: true,
  write: false,
  metafile: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox128", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".svg": "copy" },
  legalComments: "linked",
  logLevel: "warning",
  plugins: [index],
};

if (process.argv.includes("--watch")) await (await context(options)).watch();
else await build(options);
