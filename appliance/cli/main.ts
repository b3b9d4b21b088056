// The program. Reads the command line, loads the one command's module, and ends with its exit status.

import { ErrorCode, type HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { commandsFor } from "./commandTable.ts";
import { ExitStatus, failureOf, statusOf } from "./exitStatus.ts";
import { Output } from "./output/output.ts";
import { OutputWatch } from "./output/outputWatch.ts";
import { written } from "./output/written.ts";
import { outputWish, parseCommandLine } from "./parse.ts";
import { listenForStop, type StopSignals } from "./stopSignals.ts";

async function runProgram(argv: readonly string[]): Promise<ExitStatus> {
  const nowMs = (): number => performance.now();
  const wish = outputWish(argv);
  const output = new Output({ ...wish, stdout: process.stdout, stderr: process.stderr, nowMs });
  const stop = listenForStop(nowMs);
  // Nobody can be told then; a drive goes on without its log.
  process.stderr.on("error", () => undefined);
  const watch = new OutputWatch(process.stdout, stop.stop);
  const status = await runCommand(argv, { output, stop, watch, nowMs });
  await written([process.stdout, process.stderr], stop.signal);
  const { failure } = watch;
  if (failure === undefined) return status;
  const isTold = status === ExitStatus.failed && stop.signal.reason === failure;
  if (!isTold) {
    output.error(failure, undefined);
    await written([process.stderr], stop.signal);
  }
  return watch.statusAfter(status);
}

type Surroundings = {
  readonly output: Output;
  readonly stop: StopSignals;
  readonly watch: OutputWatch;
  readonly nowMs: () => number;
};

/** To its end; failures are told, and are its status. */
async function runCommand(
  argv: readonly string[],
  { output, stop, watch, nowMs }: Surroundings,
): Promise<ExitStatus> {
  try {
    const table = await commandsFor(argv);
    const parsed = parseCommandLine(argv, table);
    if (parsed.kind === "version") {
      const { version } = await import("../version.ts");
      await output.bytes(`holdfast ${version}\n`);
      return ExitStatus.done;
    }
    if (parsed.kind === "help") {
      const { helpText } = await import("./help.ts");
      await output.bytes(helpText(parsed.topic, table));
      return ExitStatus.done;
    }
    const { command, args } = parsed;
    if (process.getuid?.() === 0) {
      const { goOnAsOwner } = await import("../service/asOwner.ts");
      goOnAsOwner(command, args, process.env);
    }
    watch.endsWithReader = command.endsWithReader === true;
    const { run } = await command.load();
    await run({ args, output, signal: stop.signal, environment: process.env, nowMs });
    output.endProgress();
    return statusOf(output.warnings);
  } catch (thrown) {
    output.endProgress();
    if (watch.endedByReader) return ExitStatus.done;
    // Work that was cut off fails in many ways; what the person did is the reason to name. A drive that could not be
    // unmounted is another matter: it stays behind.
    const { signal } = stop;
    const wasStopped = signal.aborted && isHoldfastError(signal.reason);
    const failure = failureOf(
      wasStopped && !isHoldfastError(thrown, ErrorCode.mountFailed)
        ? stoppedAs(signal.reason as HoldfastError, thrown)
        : thrown,
    );
    output.error(failure.error, failure.stack);
    return failure.status;
  }
}

/** What a command says by itself of being stopped (whenStopped.ts) tells more than its signal. */
function stoppedAs(reason: HoldfastError, thrown: unknown): HoldfastError {
  return isHoldfastError(thrown, ErrorCode.cancelled) && thrown.cause === reason ? thrown : reason;
}

process.exit(await runProgram(process.argv.slice(2)));
