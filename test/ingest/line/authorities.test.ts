// Who vouches for servers in a process that Node was told not to read authorities for.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { rootCertificates } from "node:tls";
import { expect, test } from "vitest";
import { folderOf } from "../../appliance/folderOf.ts";

const module = resolve(import.meta.dirname, "../../../ingest/line/authorities.ts");

/** How many certificates a connection is told of, by a process of its own; undefined: whatever Node reads. */
function told(flags: readonly string[], extra: string): number | undefined {
  const program = [
    `import tls from "node:tls";`,
    `import { syncBuiltinESMExports } from "node:module";`,
    `let ca;`,
    `tls.createSecureContext = (options) => { ca = options.ca; return {}; };`,
    `syncBuiltinESMExports();`,
    `const { knownAuthorities } = await import(${JSON.stringify(module)});`,
    `const first = knownAuthorities();`,
    `console.log(JSON.stringify({ count: ca?.match(/BEGIN CERT/g).length, same: knownAuthorities().secureContext === first.secureContext }));`,
  ].join("\n");
  const words = [...flags, "--input-type=module", "--eval", program];
  const env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: extra };
  const said = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8", env }));
  expect(said.same).toBe(true);
  return said.count;
}

test("those that come with Node and those of NODE_EXTRA_CA_CERTS, read once", () => {
  const file = join(folderOf({}), "extra.pem");
  writeFileSync(file, `${rootCertificates[0]}\n${rootCertificates[1]}\n`);
  expect(told(["--use-openssl-ca"], file)).toBe(rootCertificates.length + 2);
  expect(told([], file)).toBeUndefined();
});
