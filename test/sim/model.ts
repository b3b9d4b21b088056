// What the simulation knows beside the gateway: which records there are, who was told what, which snapshots were acknowledged.

/** Bytes that are stored under an id, and what they refer to. */
export type Copy = { readonly record: Buffer; readonly refs: readonly Node[] };

/** `alone`: the honest copy had died before, as far as is known, so what that refers to need not be there. */
export type Posing = { readonly copy: Copy; readonly ordinal: number | undefined; alone: "maybe" | "no" };

export type Node = {
  readonly number: number;
  readonly id: Buffer;
  readonly isPage: boolean;
  readonly copy: Copy;
  /** What a hostile device stored under the same id. `ordinal`: of the row that it took; undefined where that was not acknowledged. */
  posing: Posing | undefined;
  /** Whether it is quarantined, as far as answers say. */
  flag: "no" | "yes" | "maybe";
  /** Uploads and reports of it. */
  readonly puts: Work;
  readonly reports: Work;
};

/** What is done to a record: how often it began, and how often it has not ended. */
export class Work {
  #begun = 0;
  #running = 0;

  get running(): number {
    return this.#running;
  }

  begin(): void {
    this.#begun++;
    this.#running++;
  }

  end(): void {
    this.#running--;
  }

  /** Nobody will say how it ended. */
  forget(): void {
    this.#running = 0;
  }

  /** What tells whether none of it was under way from now until it is called. */
  watch(): () => boolean {
    const begun = this.#begun;
    const quiet = this.#running === 0;
    return () => quiet && this.#begun === begun;
  }
}

export type Lease = {
  readonly who: number;
  readonly item: string;
  session: string;
  readonly uploaded: Set<Node>;
  readonly told: Set<Node>;
  /** How many cycles of this process had begun when it asked for something last. */
  usedAtCycle: number;
};

export type Snap = {
  readonly id: string;
  readonly item: string;
  readonly root: Node;
  readonly sequence: number;
};

/** A cycle keeps what a lease was told if it asked for something since so many cycles before. */
const cyclesSilent = 2;

function newWork(): Pick<Node, "puts" | "reports"> {
  return { puts: new Work(), reports: new Work() };
}

export class Model {
  readonly nodes: Node[] = [];
  /** What happened, for whoever looks for the cause of a failure. */
  readonly notes: string[] = [];
  /** Open ones, by item. */
  readonly leases = new Map<string, Lease>();
  readonly snapshots = new Map<string, Snap>();
  /** Commits that were not answered. */
  readonly pending = new Map<string, Snap>();
  /** By snapshot: until when it is kept in the trash. */
  readonly trash = new Map<string, number>();
  readonly pinned = new Set<string>();
  /** Sessions that another took the place of. */
  readonly stale: { readonly session: string; readonly who: number; readonly item: string }[] = [];
  /** Cycles that this process began. */
  cycles = 0;
  /** The latest time by which a collection let snapshots leave. */
  leaveMs = 0;

  add(id: Buffer, record: Buffer, refs: readonly Node[], isPage: boolean): Node {
    const number = this.nodes.length;
    const copy = { record, refs };
    const node: Node = { number, id, isPage, copy, posing: undefined, flag: "no", ...newWork() };
    this.nodes.push(node);
    return node;
  }

  cycleBegan(): void {
    this.notes.push(`cycle-${++this.cycles}`);
    for (const lease of this.leases.values()) {
      if (this.cycles - lease.usedAtCycle > cyclesSilent) lease.told.clear();
    }
  }

  /** Another process: what was only told is forgotten, and what was under way may have happened or not. */
  restarted(): void {
    this.notes.push("restarted");
    this.cycles = 0;
    for (const lease of this.leases.values()) {
      lease.told.clear();
      lease.usedAtCycle = 0;
    }
    for (const node of this.nodes) {
      if (node.puts.running + node.reports.running > 0) node.flag = "maybe";
      node.puts.forget();
      node.reports.forget();
    }
  }

  /** What has to be there: what snapshots reach, and what leases uploaded or were told. */
  mustLive(): Set<Node> {
    const roots = [...this.snapshots.values()].map(({ root }) => root);
    for (const { uploaded, told } of this.leases.values()) roots.push(...uploaded, ...told);
    return this.below(roots, "known");
  }

  /** In words: whatever a record has to be there for. */
  whoNeeds(node: Node): string {
    const reaches = (root: Node): boolean => this.below([root], "known").has(node);
    const why: string[] = [];
    for (const { root } of this.snapshots.values()) if (reaches(root)) why.push(`snapshot of ${root.number}`);
    for (const { who, uploaded, told } of this.leases.values()) {
      for (const each of uploaded) if (reaches(each)) why.push(`upload of ${each.number} by ${who}`);
      for (const each of told) if (reaches(each)) why.push(`${each.number} as told to ${who}`);
    }
    return why.join(", ");
  }

  /** Records at and below some. Of what poses as a record: `none` of it counts, what is `known` to be stored, or what `any`body tried to store. */
  below(roots: Iterable<Node>, posing: "none" | "known" | "any"): Set<Node> {
    const seen = new Set<Node>();
    const left = [...roots];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (posing === "any" || node.posing?.alone !== "maybe") left.push(...node.copy.refs);
      const counts = posing === "any" || (posing === "known" && node.posing?.ordinal !== undefined);
      if (counts && node.posing !== undefined) left.push(...node.posing.copy.refs);
    }
    return seen;
  }

  /** The newest acknowledged snapshot of an item. */
  head(item: string): Snap | undefined {
    let newest: Snap | undefined;
    for (const snap of this.snapshots.values()) {
      if (snap.item === item && snap.sequence > (newest?.sequence ?? 0)) newest = snap;
    }
    return newest;
  }
}
