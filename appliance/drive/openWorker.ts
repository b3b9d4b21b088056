// A worker thread that opens records of drives, with the fastest that this process has.

import { selectEngines } from "../../agent/platform/engines.ts";
import { serveOpening } from "../../fs/view/openServing.ts";

serveOpening(selectEngines);
