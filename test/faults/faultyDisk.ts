// An ext4 on a disk that fails on demand: reads, writes and flushes that end with EIO, of all of it or of chosen sectors, a disk that is
// slow, and one that is pulled.
//
// The stack: image file - [blkdebug, while anything fails] - throttle - FUSE export - loop device - ext4. Faults are switched by giving the
// throttle node another child, so requests that were on their way are done first.

import { once } from "node:events";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportDisk } from "./exportedDisk.ts";
import { type Disk, format, type Journal, mountAfterPowerLoss, mountImage } from "./loopDisk.ts";
import { Qmp } from "./qmp.ts";
import { runTool } from "./tearDown.ts";

/** Programs that it takes. */
export const faultTools = ["qemu-storage-daemon", "losetup", "mkfs.ext4", "e2fsck", "mount", "filefrag"];

/** What fails, with EIO; without `sectors` (of 512 bytes), wherever it goes. */
export type Fault = {
  readonly kind: "read" | "write" | "flush";
  readonly sectors?: readonly number[];
};

/** A node gets another child only after a flush: so each one that is to fail is a rule of its own, and switching faults off uses up what is left of them. */
const flushesMax = 100;

/** Per second; 0: as fast as it can. */
export type Pace = { readonly bytes: number; readonly requests: number };

export class FaultyDisk {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #shown: string;
  readonly #image: string;
  readonly #journal: Journal;
  readonly #qmp: Qmp;
  readonly #pull: () => Promise<void>;
  readonly #stop: () => void;
  #disk: Disk | undefined;
  #faults = 0;
  #fails = false;

  private constructor(
    files: {
      readonly folder: string;
      readonly shown: string;
      readonly image: string;
      readonly journal: Journal;
    },
    daemon: { readonly qmp: Qmp; readonly pull: () => Promise<void>; readonly stop: () => void },
  ) {
    this.folder = files.folder;
    this.#shown = files.shown;
    this.#image = files.image;
    this.#journal = files.journal;
    this.#qmp = daemon.qmp;
    this.#pull = daemon.pull;
    this.#stop = daemon.stop;
  }

  /** An empty one of so many MiB. */
  static async create(scratch: string, mebibytes: number, journal: Journal): Promise<FaultyDisk> {
    mkdirSync(scratch, { recursive: true });
    const [image, shown, monitor] = ["disk.img", "disk.raw", "monitor"].map((name) =>
      join(scratch, name),
    ) as [string, string, string];
    writeFileSync(image, "");
    truncateSync(image, mebibytes * 2 ** 20);
    const { daemon, stop } = await exportDisk(
      [
        ...["--chardev", `socket,id=monitor,path=${monitor},server=on,wait=off`],
        ...["--monitor", "chardev=monitor", "--object", "throttle-group,id=pace"],
        // The machine does not lose its power here: no need to wait for its real disk.
        ...["--blockdev", `driver=file,node-name=image,filename=${image},cache.no-flush=on`],
        ...["--blockdev", "driver=throttle,node-name=top,throttle-group=pace,file=image"],
      ],
      "top",
      shown,
    );
    const qmp = await Qmp.connect(monitor);
    format(shown, journal);
    const pull = async (): Promise<void> => {
      const ended = once(daemon, "exit");
      daemon.kill("SIGKILL");
      await ended;
    };
    const files = { folder: join(scratch, "disk"), shown, image, journal };
    const disk = new FaultyDisk(files, { qmp, pull, stop });
    disk.mount();
    return disk;
  }

  /** Mounts it where it was; nothing of it is in the kernel's memory then. */
  mount(): void {
    this.#disk = mountImage(this.#shown, this.folder);
  }

  unmount(): void {
    this.#disk?.unmount();
    this.#disk = undefined;
  }

  /** From now on these fail, and nothing else. */
  async fail(...faults: readonly Fault[]): Promise<void> {
    await this.well();
    const node = `faults-${++this.#faults}`;
    const rules = faults.flatMap(({ kind, sectors = [undefined] }) =>
      sectors.flatMap((sector) => {
        const rule = { event: "none", iotype: kind, ...(sector !== undefined && { sector }) };
        return kind === "flush" ? new Array(flushesMax).fill({ ...rule, once: true }) : [rule];
      }),
    );
    await this.#qmp.run("blockdev-add", {
      ...{ driver: "blkdebug", "node-name": node, image: "image", "inject-error": rules },
    });
    await this.#under(node);
    this.#fails = true;
  }

  /** Nothing fails any more. */
  async well(): Promise<void> {
    if (!this.#fails) return;
    for (let tries = 0; ; tries++) {
      try {
        await this.#under("image");
        break;
      } catch (error) {
        if (tries === flushesMax) throw error;
      }
    }
    await this.#qmp.run("blockdev-del", { "node-name": `faults-${this.#faults}` });
    this.#fails = false;
  }

  async #under(file: string): Promise<void> {
    await this.#qmp.run("blockdev-reopen", {
      options: [{ driver: "throttle", "node-name": "top", "throttle-group": "pace", file }],
    });
  }

  async pace({ bytes, requests }: Pace): Promise<void> {
    const limits = { "bps-total": bytes, "iops-total": requests };
    await this.#qmp.run("qom-set", { path: "/objects/pace", property: "limits", value: limits });
  }

  /** Takes the disk away under the file system, as a cable that is pulled. What it took by then is in the image. */
  pull(): Promise<void> {
    return this.#pull();
  }

  /** Mounts what a disk that was pulled had taken, in the same folder; it does not fail any more. */
  mountPulled(): void {
    this.unmount();
    this.#stop();
    this.#disk = mountAfterPowerLoss(this.#image, this.folder, this.#journal);
  }

  /** The sectors that hold bytes `from` to `to` of a file that is wholly on the disk. */
  sectorsOf(path: string, from: number, to: number): number[] {
    const sectors: number[] = [];
    // Lines like "   0:        0..     199:      34816..     35015:    200:", in units of 512 bytes.
    for (const line of runTool("filefrag", "-b512", "-v", path).split("\n")) {
      const [, first, last, place] = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\./.exec(line) ?? [];
      for (let at = Number(first); at <= Number(last); at++) {
        if (at * 512 < to && (at + 1) * 512 > from) sectors.push(Number(place) + at - Number(first));
      }
    }
    return sectors;
  }

  remove(): void {
    this.unmount();
    this.#qmp.close();
    this.#stop();
    rmSync(this.#image);
  }
}
