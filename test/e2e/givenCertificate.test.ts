// A gateway with the administrator's own certificate: it is the one that is served, and an agent that knows its authority
// enrols without comparing fingerprints; one that does not, or for which it was not made, is told to compare.

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fingerprintOf } from "../../ingest/client/fingerprint.ts";
import { probeGateway } from "../../ingest/client/pinnedAgent.ts";
import { Authority, type Signed } from "./authority.ts";
import { done, makeSource, openSite, Program, type Ran, type Site, scratchFolder } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
const later = (step: () => void | Promise<void>): void => void undo.push(step);
let authority: Authority;
let given: Signed;
let site: Site;

beforeAll(async () => {
  authority = await Authority.create(scratchFolder(later));
  given = await authority.sign("gateway", ["localhost", "127.0.0.1"]);
  site = await openSite(later, "--tls-cert", given.certificate, "--tls-key", given.key);
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

const port = (): string => new URL(site.url).port;

/** Enrols without --fingerprint, in a process that knows the authority or does not. */
function enrolBy(host: string, device: string, known: boolean): Promise<Ran> {
  const args = [
    ...["agent", "enroll", `https://${host}:${port()}`, "--account", "alice", "--device", device],
    ...["--password-file", site.password, "--state", join(site.folder, `state-${device}`)],
  ];
  return new Program(args, known ? { NODE_EXTRA_CA_CERTS: authority.file } : {}).ended();
}

test("the given certificate and its chain are served, and status tells its fingerprint", async () => {
  const ca = readFileSync(authority.file, "utf8");
  const chain = await new Promise<tls.DetailedPeerCertificate>((resolve, reject) => {
    const socket = tls.connect({ host: "127.0.0.1", port: Number(port()), ca }, () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
    socket.once("error", reject);
  });
  expect(chain.subject.CN).toBe("gateway");
  expect(chain.issuerCertificate.subject.CN).toBe("Test Authority");
  expect(site.fingerprint).toBe(fingerprintOf(chain.raw));
});

test.each(["localhost", "127.0.0.1"])("who knows the authority enrols at %s and backs up", async (host) => {
  const device = `knows-${host}`;
  const ran = await enrolBy(host, device, true);
  expect(ran.stderr + ran.stdout).toContain(`its key is pinned: ${site.fingerprint}`);
  expect(ran.status).toBe(0);
  // The key is pinned now: no authority is asked any more.
  await done(
    "agent",
    "backup",
    makeSource(join(site.folder, device)),
    "--state",
    join(site.folder, `state-${device}`),
  );
});

test("who does not is told to compare, and nothing is sent", async () => {
  const ran = await enrolBy("localhost", "stranger", false);
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain(`nobody vouches for https://localhost:${port()}`);
  expect(ran.stderr).toContain(`--fingerprint ${site.fingerprint}`);
});

test("a certificate that was made for another host vouches for nothing; a host among several is asked for by name", async () => {
  const [other, named] = [
    await authority.sign("other", ["other.example"]),
    await authority.sign("named", ["localhost"]),
  ];
  const pem = ({ certificate, key }: Signed) => ({ cert: readFileSync(certificate), key: readFileSync(key) });
  const server: Server = createServer({
    ...pem(other),
    SNICallback: (name, callback) =>
      callback(null, name === "localhost" ? tls.createSecureContext(pem(named)) : undefined),
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const before = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...before, readFileSync(authority.file, "utf8")]);
  try {
    const at = (host: string) => probeGateway(`https://${host}:${(server.address() as AddressInfo).port}`);
    expect(await at("127.0.0.1")).toEqual({
      fingerprint: fingerprintOf(leafOf(other)),
      trusted: false,
    });
    expect(await at("localhost")).toEqual({ fingerprint: fingerprintOf(leafOf(named)), trusted: true });
  } finally {
    tls.setDefaultCACertificates(before);
    server.close();
  }
});

/** The first certificate of a chain. */
function leafOf({ certificate }: Signed): string {
  return `${readFileSync(certificate, "utf8").split("-----END CERTIFICATE-----")[0]}-----END CERTIFICATE-----\n`;
}
