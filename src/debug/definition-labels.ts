interface LabelledBlock {
  readonly label: string
  readonly loopBlocks?: unknown
}

/** Labels of all blocks of a definition, those in loops included, parents first. Pure. */
export function labelsOf(blocks: readonly LabelledBlock[]): string[] {
  return blocks.flatMap(({ label, loopBlocks }) => [
    label,
    ...(Array.isArray(loopBlocks) ? labelsOf(loopBlocks as readonly LabelledBlock[]) : []),
  ])
}
