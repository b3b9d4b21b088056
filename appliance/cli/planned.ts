// Commands and options that are decided on and not here yet: refused by name, so that nobody takes them for a slip of the
// finger and follows a wrong guess. Whoever adds one takes it out; a test holds that.

/** A command's words, or a group's one word. */
export const plannedCommands: readonly string[] = ["vault copy"];

/** Options by their command's words. */
export const plannedOptions: Readonly<Record<string, readonly string[]>> = {};
