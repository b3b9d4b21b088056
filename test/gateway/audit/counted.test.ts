// What is noted less often than it happens, and what the page says of events.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type AuditFacts, auditEvents } from "../../../gateway/audit/events.ts";
import { FloodGate } from "../../../gateway/audit/floodGate.ts";
import { ReadSessions } from "../../../gateway/audit/readSessions.ts";

test("docs/security.md says when each event is written, and names no other", () => {
  const page = readFileSync(new URL("../../../docs/security.md", import.meta.url), "utf8");
  const section = page.split("## Audit log")[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) =>
    Array.from((row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g), ([, name]) => name),
  );
  expect(named.toSorted()).toEqual([...auditEvents].toSorted());
});

test("readers that rest are over, and their number is bounded", () => {
  const written: AuditFacts[] = [];
  let now = 0;
  const reads = new ReadSessions(
    (facts) => written.push(facts),
    () => new Date(now),
    () => now,
  );
  const actor = { kind: "device", id: "1" } as const;
  reads.read({ actor, address: "a", records: 3 });
  now += 9 * 60_000;
  reads.read({ actor, address: "a", records: 4 });
  now += 9 * 60_000;
  reads.endIdle();
  expect(written).toHaveLength(1);
  now += 60_000;
  reads.endIdle();
  expect(written[1]?.subject).toMatchObject({ phase: "ended", requests: 2, records: 7 });
  for (let n = 0; n < 5001; n++) reads.read({ actor: { kind: "device", id: `${n}` }, address: "a" });
  expect(written.filter(({ subject }) => subject.phase === "ended")).toHaveLength(2);
  reads.close();
  expect(written.filter(({ subject }) => subject.phase === "ended")).toHaveLength(5002);
});

test("a flood fills neither log nor memory, and hides nothing of other addresses", () => {
  const written: AuditFacts[] = [];
  const gate = new FloodGate(
    (facts) => written.push(facts),
    () => new Date(0),
  );
  const refused = (address: string): void =>
    gate.note({
      event: "login.refused",
      outcome: "refused",
      actor: { kind: "unknown" },
      address,
      subject: {},
    });
  for (let n = 0; n < 500; n++) refused("198.51.100.1");
  refused("203.0.113.9");
  expect(written.filter(({ address }) => address === "198.51.100.1")).toHaveLength(10);
  expect(written.at(-1)?.address).toBe("203.0.113.9");
  for (let n = 0; n < 3000; n++) refused(`2001:db8::${n.toString(16)}`);
  expect(written).toHaveLength(20);
  gate.endWindow();
  expect(written.at(-1)).toMatchObject({
    event: "log.counted",
    subject: { events: ["login.refused 3481"], addresses: 1000, moreAddresses: true },
  });
  refused("198.51.100.1");
  expect(written.at(-1)?.event).toBe("login.refused");
  gate.endWindow();
  expect(written).toHaveLength(22);
});
