// holdfast escrow keygen

import { closeSync, fsyncSync, writeFileSync } from "node:fs";
import { generateKeyPair } from "../../vault/keys/box.ts";
import { formatRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import type { CommandContext } from "../cli/command.ts";
import { openNewFile } from "../recoveryKeyOutput.ts";

export async function run({ args, output }: CommandContext): Promise<void> {
  const file = args.requiredText("out");
  const fd = openNewFile(file, "an escrow key");
  const { privateKey, publicKey } = generateKeyPair();
  writeFileSync(fd, `${formatRecoveryKey("escrow", privateKey)}\n`);
  privateKey.fill(0);
  fsyncSync(fd);
  closeSync(fd);
  const text = formatRecoveryKey("escrowPublic", publicKey);
  output.line(
    `The escrow key is in ${file}: keep it apart from the gateway. Its public half, for owners to add:`,
  );
  output.line(`\n  ${text}\n`);
  output.event({ event: "done", file, public: text });
}
