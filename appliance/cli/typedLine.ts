// A line that is typed unseen. In raw mode the terminal's own editing is off, so the keys that matter are handled here.

/** What a key did: nothing that ends the line, Enter, or a wish to stop (Ctrl-C; Ctrl-D on an empty line). */
export type LineEnd = "entered" | "stopped" | undefined;

export class TypedLine {
  #characters: string[] = [];
  /** Inside ESC [ ... or ESC O x, which arrow and function keys send: nobody means them in a secret. */
  #escape: "none" | "begun" | "sequence" = "none";

  get text(): string {
    return this.#characters.join("");
  }

  /** Takes what the terminal sent; what follows the line's end is dropped. */
  type(text: string): LineEnd {
    for (const key of text) {
      const end = this.#key(key);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  #key(key: string): LineEnd {
    if (key === "\r" || key === "\n") return "entered";
    if (key === "\u0003" || (key === "\u0004" && this.#characters.length === 0)) return "stopped";
    if (this.#skipsEscape(key)) return undefined;
    if (key === "\u007f" || key === "\b") this.#characters.pop();
    else if (key === "\u0015") this.#characters = [];
    else if (key >= " ") this.#characters.push(key);
    return undefined;
  }

  #skipsEscape(key: string): boolean {
    if (key === "\u001b") {
      this.#escape = "begun";
      return true;
    }
    if (this.#escape === "begun") {
      this.#escape = key === "[" || key === "O" ? "sequence" : "none";
      return this.#escape === "sequence";
    }
    if (this.#escape === "none") return false;
    // A letter or ~ ends the sequence; digits and ; are its parameters.
    if (/[^0-9;?]/.test(key)) this.#escape = "none";
    return true;
  }
}
