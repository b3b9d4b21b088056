// Keeps V8 from compiling with Maglev, without which a process that ends may wait for ever (docs/decisions/0001).
//
// Not on the command line: Node carries compiled code for its own modules, which V8 takes only while its flags are as they were when that was made, and
// compiling them anew is an eighth of a command's start. So the flag is set once those are there that nearly every command loads.

const usual = ["crypto", "zlib", "worker_threads", "child_process", "https", "tty", "timers/promises"];

// Flags are of the process: threads, whose first word is another file, have them already.
const [, program = "", command = ""] = process.argv;
if (/[\\/]main\.[jt]s$/.test(program)) {
  if (/^[a-z]/.test(command) && command !== "help")
    for (const name of usual) process.getBuiltinModule(`node:${name}`);
  process.getBuiltinModule("node:v8").setFlagsFromString("--no-maglev");
}
