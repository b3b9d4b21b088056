// Options that commands for the protected machine share.

import { priorities } from "../../ingest/schedule/itemDefinition.ts";
import type { OptionSpec } from "./command.ts";

export const state: OptionSpec = {
  name: "state",
  kind: "text",
  value: "DIR",
  summary: "the agent's state directory (else HOLDFAST_STATE, else the usual place)",
};
export const item: OptionSpec = {
  name: "item",
  kind: "text",
  value: "NAME",
  summary: "the protected item that is meant",
};

/** Of commands that connect to somewhere (docs/network.md). */
export const proxy: readonly OptionSpec[] = [
  {
    name: "proxy",
    kind: "text",
    value: "URL",
    summary: "the HTTP proxy to the gateway, http://HOST:PORT, or none (else as HTTPS_PROXY says)",
  },
  {
    name: "no-proxy",
    kind: "text",
    value: "HOSTS",
    summary: "hosts to which no proxy leads (else as NO_PROXY says)",
  },
];

/** Of commands that speak to a gateway. */
export const line: readonly OptionSpec[] = [
  ...proxy,
  {
    name: "limit-download",
    kind: "rates",
    value: "TABLE",
    summary: "fetch at most so much a second: a rate like 5MiB, or rates by time (docs/network.md)",
  },
];

export const priorityOption: OptionSpec = {
  name: "priority",
  kind: "text",
  choices: priorities,
  summary: "what a backup takes of processors and disks beside others; low: what they leave (normal)",
};

/** What of the paths is backed up, besides `include`. */
export const choiceOfFiles: readonly OptionSpec[] = [
  { name: "exclude", kind: "texts", value: "GLOB", summary: "leave out what matches, by full path" },
  { name: "include-regex", kind: "texts", value: "RE", summary: "the same by an RE2 expression" },
  { name: "exclude-regex", kind: "texts", value: "RE", summary: "the same by an RE2 expression" },
  { name: "exclude-caches", kind: "flag", summary: "leave out what is in folders marked by CACHEDIR.TAG" },
  { name: "one-file-system", kind: "flag", summary: "do not go into other mounted file systems" },
  {
    name: "ignore-inode",
    kind: "flag",
    summary:
      "take a file for unchanged although its inode is another: for file systems that number files anew",
  },
];
