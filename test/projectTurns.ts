// The order in which files run. Vitest takes the projects of a group one after the other; here they take turns.

import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Of projects that run side by side each comes as far as the others: those that wait much (for servers and disks that answer late) leave the
 * processors to those that compute, and no long wait is left for the end.
 */
export class ProjectTurns extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const projects = Map.groupBy(sorted, ({ project }) => project.name);
    const rank = new Map<TestSpecification, number>();
    for (const own of projects.values())
      for (const [index, file] of own.entries()) rank.set(file, (index + 0.5) / own.length);
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    return sorted.sort((a, b) => group(a) - group(b) || (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
  }
}
