import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { BenchFailure } from "../failure.ts";
import { measure, startService, untilReady } from "./programs.ts";

const node = (script: string, role = "child") => ({ command: process.execPath, args: ["-e", script], role });

// The child burns CPU and then tells what getrusage gave it for itself: an account independent of /proc.
const BURN = `
  while (process.cpuUsage().user < 400_000) for (let i = 0; i < 1e5; i++) Math.sqrt(i);
  const { user, system } = process.cpuUsage();
  console.log((user + system) / 1e6);
`;

test("CPU seconds agree with what the child's own rusage says, also when it is a grandchild", async () => {
  const direct = await measure(node(BURN));
  expect(direct.usage.get("child")?.cpuSeconds).toBeCloseTo(Number(direct.stdout), 0);
  expect(direct.usage.get("child")?.cpuSeconds).toBeGreaterThanOrEqual(Number(direct.stdout) - 0.02);
  const nested = await measure({
    command: "sh",
    args: ["-c", '"$0" -e "$1"; true', process.execPath, BURN],
    role: "child",
  });
  expect(nested.usage.get("child")?.cpuSeconds).toBeGreaterThanOrEqual(Number(nested.stdout) - 0.02);
});

test("peak memory sees what was held for a while, in a grandchild too", async () => {
  const hold = "const held = Buffer.alloc(200 << 20, 1); setTimeout(() => held[0], 300)";
  const step = await measure({
    command: "sh",
    args: ["-c", '"$0" -e "$1"; true', process.execPath, hold],
    role: "child",
  });
  expect(step.usage.get("child")?.peakMemory).toBeGreaterThan(200 << 20);
});

test("a service's share is its own, and it is gone after stop", async () => {
  const serving = node(
    "console.log('up'); process.on('SIGUSR2', () => { const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end); console.log('done'); }); setInterval(() => {}, 1e3)",
    "service",
  );
  const service = startService(serving);
  await untilReady(serving, service, () => service.output().includes("up"));
  const step = await measure(
    node(`process.kill(${service.pid}, 'SIGUSR2'); setTimeout(() => {}, 1500)`),
    new Map([["service", service.pid]]),
  );
  expect(step.usage.get("service")?.cpuSeconds).toBeGreaterThan(0);
  expect(step.usage.get("service")?.peakMemory).toBeGreaterThan(1 << 20);
  await service.stop();
  expect(existsSync(`/proc/${service.pid}`)).toBe(false);
});

test("a program that fails, cannot be started or ends before it is ready is a failure with its last words", async () => {
  await expect(measure(node("console.error('no such vault'); process.exit(3)"))).rejects.toThrow(
    /status 3\nno such vault/,
  );
  await expect(measure({ command: "/nowhere/program", args: [], role: "child" })).rejects.toThrow(
    BenchFailure,
  );
  const ending = node("console.error('port taken')");
  const service = startService(ending);
  await expect(untilReady(ending, service, () => false)).rejects.toThrow(/port taken/);
});
