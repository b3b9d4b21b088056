// Appends to an audit log as fast as it can, and says each line that is durable. For kill.test.ts.

import { AuditLog } from "../../../gateway/audit/auditLog.ts";

const [folder = "", first = "0"] = process.argv.slice(2);
const log = new AuditLog({
  ...{ folder, seal: undefined, fileBytesMax: 20_000, now: () => new Date() },
  warn: (error) => console.error(error),
});

async function append(start: number): Promise<void> {
  for (let n = start; ; n += 4) {
    const subject = { n, text: "x".repeat(n % 200) };
    await log.record({ event: "login.accepted", outcome: "done", actor: { kind: "gateway" }, subject });
    process.stdout.write(`${n}\n`);
  }
}

for (let lane = 0; lane < 4; lane++) void append(Number(first) + lane);
