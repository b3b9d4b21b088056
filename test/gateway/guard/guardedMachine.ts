// A machine with files that people work on, backed up by a real agent to a real gateway, and what ransomware does to them.

import { createCipheriv, randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuardAnswer } from "../../../gateway/admin/guardOperations.ts";
import { noise } from "../../agent/backup/backupFixture.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { type Run, Site } from "../seed/seedSites.ts";

const words = "the quick brown fox jumps over a lazy dog while seven wizards box with liquid jugs ".split(
  " ",
);

export class GuardedMachine {
  readonly folder: string;
  readonly source: string;
  site: Site;
  /** Of the numbers that say which file is edited how. */
  #state: number;

  private constructor(folder: string, site: Site, seed: number) {
    this.folder = folder;
    this.source = join(folder, "files");
    this.site = site;
    this.#state = seed;
    mkdirSync(this.source);
  }

  static async create(seed: number): Promise<GuardedMachine> {
    const fixture = await GatewayFixture.create();
    const device = await fixture.device(await fixture.account("anna"), "laptop");
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-guarded-")));
    return new GuardedMachine(folder, new Site(fixture, device), seed);
  }

  async remove(): Promise<void> {
    await this.site.fixture.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** From 0 up to below `most`; the same numbers for the same seed. */
  random(most: number): number {
    this.#state = (this.#state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((this.#state / 2 ** 31) * most);
  }

  text(bytes: number): Buffer {
    // A paragraph that is new, and again and again: quick to make, and it shrinks like text.
    let line = "";
    while (line.length < Math.min(bytes, 3000))
      line += `${words[this.random(words.length)]} ${this.random(1000)} `;
    return Buffer.alloc(bytes, line);
  }

  /** Documents, and some pictures: `files` small ones and a twentieth as many larger ones. */
  fill(files: number, below = this.source): void {
    for (let n = 0; n < files; n++) {
      const folder = join(below, `d${n % 9}`);
      mkdirSync(folder, { recursive: true });
      const bytes = 500 + this.random(30_000);
      if (n % 20 === 0) writeFileSync(join(folder, `report ${n}.doc`), this.text(400_000));
      else if (n % 10 === 5) writeFileSync(join(folder, `picture ${n}.jpg`), noise(bytes, n));
      else writeFileSync(join(folder, `note ${n}.txt`), this.text(bytes));
    }
  }

  /** All files, in no order that means anything. */
  files(below = this.source): string[] {
    const found = readdirSync(below, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  }

  /** Some of the files, each once. */
  some(share: number): string[] {
    const left = this.files().sort();
    const chosen: string[] = [];
    for (let n = Math.ceil(left.length * share); n > 0; n--) {
      chosen.push(left.splice(this.random(left.length), 1)[0] as string);
    }
    return chosen;
  }

  /** People write: a share of the files gets another end. */
  edit(share: number): void {
    for (const path of this.some(share)) {
      const content = readFileSync(path);
      writeFileSync(path, Buffer.concat([content.subarray(0, content.length - 100), this.text(300)]));
    }
  }

  /** Encrypts files in place and renames them. `share`: of those that are not encrypted yet. */
  attack(share: number): number {
    const key = randomBytes(32);
    const victims = this.some(1).filter((path) => !path.endsWith(".locked"));
    const count = Math.ceil(this.files().length * share);
    for (const path of victims.slice(0, count)) {
      const cipher = createCipheriv("aes-256-ctr", key, randomBytes(16));
      writeFileSync(`${path}.locked`, Buffer.concat([cipher.update(readFileSync(path)), cipher.final()]));
      rmSync(path);
    }
    return Math.min(count, victims.length);
  }

  backup(): Promise<Run> {
    return this.site.backup(this.source, join(this.folder, "cache"));
  }

  /** What the guard says of the item. */
  async guard(): Promise<GuardAnswer> {
    const [answer] = await this.site.fixture.administration.guard.status({}, true);
    if (answer === undefined) throw new Error("no item");
    return answer;
  }
}
