// Threads that tests start find their code compiled: stripping types anew costs each of them a quarter of a second.
import { fileURLToPath } from "node:url";

process.env.NODE_COMPILE_CACHE ??= fileURLToPath(
  new URL("../../../node_modules/.cache/holdfast-tests", import.meta.url),
);
