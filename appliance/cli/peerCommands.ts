// The rows of commands that look after peers: gateways that keep their replicas on this one.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

const tokenFile: OptionSpec = {
  name: "token-file",
  kind: "text",
  value: "FILE",
  summary: "write the token file to this new file (mode 0600) instead of printing it",
};
const url: OptionSpec = {
  name: "url",
  kind: "text",
  value: "URL",
  summary: "https://HOST:PORT by which the peer reaches this gateway (else from its settings)",
};

export const peerCommands: readonly CommandSpec[] = [
  {
    path: ["peer", "add"],
    summary: "let another gateway keep its replicas here",
    details: [
      "Makes a token and prints once what the other gateway needs: address, fingerprint, token, and the key that signs receipts. Give that file to `holdfast replica add NAME URL --token-file FILE` there.",
      "This gateway gets no key to what is stored: it sees sealed packs, their sizes and counts. What a root has listed can be deleted only when no root has listed it for --hold, so that a stolen token cannot empty the replica.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      {
        name: "quota",
        kind: "bytes",
        value: "SIZE",
        summary: "the most it may store (all of the disk unless given)",
      },
      {
        name: "hold",
        kind: "duration",
        value: "TIME",
        summary: "how long nothing that was listed can be deleted (7d)",
      },
      tokenFile,
      url,
    ],
    example: "holdfast peer add branch-office --quota 4TiB --token-file branch.token --data /srv/holdfast",
    load: () => import("../commands/peerAdd.ts"),
  },
  {
    path: ["peer", "list"],
    summary: "list the gateways that keep replicas here, and what they use",
    operands: [],
    options: [data],
    example: "holdfast peer list --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/peerList.ts"),
  },
  {
    path: ["peer", "rotate"],
    summary: "give a peer a new token; the old one ends at once",
    operands: [{ name: "NAME", required: true }],
    options: [data, tokenFile, url],
    example: "holdfast peer rotate branch-office --token-file branch.token --data /srv/holdfast",
    load: () => import("../commands/peerRotate.ts"),
  },
  {
    path: ["peer", "remove"],
    summary: "end a peer's access; what it stored stays unless --delete-data",
    operands: [{ name: "NAME", required: true }],
    options: [data, { name: "delete-data", kind: "flag", summary: "delete its replicas too, for good" }],
    example: "holdfast peer remove branch-office --data /srv/holdfast",
    load: () => import("../commands/peerRemove.ts"),
  },
];
