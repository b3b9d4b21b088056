// Runs lint and all tests, and counts them together. The last line is "N passed, N failed", with
// ", N skipped" where something was; the exit status says the same. Arguments go to vitest.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildProgram } from "./builtProgram.ts";
import { auditDependencies } from "./dependencyAudit.ts";
import { makeMemoryFolder, memoryVariable } from "./memoryFolder.ts";
import { variable } from "./programWords.ts";

type Count = { passed: number; failed: number; skipped: number };

/** The parts of vitest's JSON report that are counted. */
type Report = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
};

const bin = join(import.meta.dirname, "..", "node_modules", ".bin");

/**
 * Runs one of our tools; gives its exit status (1 if it could not start or was killed). Its output is shown as it comes, or `atEnd`: of tools that run
 * side by side.
 */
function run(tool: string, args: readonly string[], atEnd = false): Promise<number> {
  const title = `\n$ ${[tool, ...args].join(" ")}\n`;
  if (!atEnd) process.stdout.write(title);
  return new Promise((resolve) => {
    const output = atEnd ? "pipe" : "inherit";
    const child = spawn(join(bin, tool), args, { stdio: ["ignore", output, output] });
    const shown: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes: Buffer) => shown.push(bytes));
    child.on("error", (error) => {
      console.error(`${tool} did not start: ${error.message}`);
      resolve(1);
    });
    child.on("close", (status) => {
      if (atEnd) process.stdout.write(Buffer.concat([Buffer.from(title), ...shown]));
      resolve(status ?? 1);
    });
  });
}

/** Counts a report. A file that fails outside its tests (say, at import) is one failure more. */
function countReport(report: Report, status: number): Count {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
  ).length;
  const count = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  // Vitest also fails for what belongs to no test: an unhandled rejection, a worker that died.
  if (status !== 0 && count.failed === 0) count.failed = 1;
  return count;
}

async function runVitest(args: readonly string[]): Promise<Count> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const file = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const status = await run("vitest", ["run", ...reporters, ...args]);
    return countReport(JSON.parse(readFileSync(file, "utf8")) as Report, status);
  } catch (error) {
    console.error(`vitest left no report: ${(error as Error).message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const total: Count = { passed: 0, failed: 0, skipped: 0 };
const linters = [["biome", "check", "--error-on-warnings"], ["tsc"], ["knip"]] as const;
for (const status of await Promise.all(linters.map(([tool, ...args]) => run(tool, args, true)))) {
  if (status === 0) total.passed += 1;
  else total.failed += 1;
}
const folder = mkdtempSync(join(tmpdir(), "holdfast-test-program-"));
const memory = makeMemoryFolder();
if (memory !== undefined) process.env[memoryVariable] = memory;
let tests: Count;
try {
  // A program that cannot be built is the failure of every test that runs it: those run the sources then, and this counts.
  await buildProgram(folder).then(
    () => {
      process.env[variable] = folder;
    },
    (error: Error) => {
      total.failed += 1;
      console.error(`the program was not built: ${error.message}`);
    },
  );
  tests = await runVitest(process.argv.slice(2));
} finally {
  for (const made of [folder, memory]) if (made !== undefined) rmSync(made, { recursive: true, force: true });
}
total.passed += tests.passed;
total.failed += tests.failed;
total.skipped += tests.skipped;

// Here, where it is not scrolled away.
const audit = auditDependencies();
if (audit.kind === "clean") total.passed += 1;
else if (audit.kind === "found") {
  total.failed += 1;
  console.error(`\nKNOWN HOLES in what is shipped:\n${audit.advisories.join("\n")}`);
} else {
  total.skipped += 1;
  const line = "!".repeat(100);
  console.error(
    `\n${line}\nDEPENDENCIES WERE NOT AUDITED: ${audit.why}\nNothing says that what is shipped has no known holes.\n${line}`,
  );
}

console.log(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
);
process.exitCode = total.failed > 0 ? 1 : 0;
