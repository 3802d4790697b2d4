/** Serves the page with the made-up cluster of the tests, to look at: `npm run fixture [-- app-master]`. */

import { build } from "esbuild";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import "./build.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = path.join(root, "build/fixture.mjs");
await build({
  absWorkingDir: root,
  entryPoints: ["tests/fixture/server.ts"],
  outfile: out,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
});
process.chdir(root);
const { FixtureServer } = await import(pathToFileURL(out).href);
const server = await FixtureServer.start(process.argv[2] ?? "resource-manager");
console.log(`${server.address}/#token=${"3b1f".repeat(16)}`);
