import type { BlockSchema } from '../definition/index.js'
import { InvalidArgumentError } from '../errors/index.js'
import { builtInBlocks } from './built-in.js'
import type { BlockType } from './define-block.js'

/** The block types that an engine knows: the built-in ones and the host's own. */
export class BlockRegistry {
  readonly #types = new Map<string, BlockType>()

  constructor(own: readonly BlockType[] = []) {
    for (const type of [...builtInBlocks, ...own]) {
      if (this.#types.has(type.type)) {
        throw new InvalidArgumentError(`Block type "${type.type}" is registered twice`, {
          path: 'blocks',
          expected: 'distinct types',
          received: type.type,
        })
      }
      this.#types.set(type.type, type)
    }
  }

  get(type: string): BlockType | undefined {
    return this.#types.get(type)
  }

  /** The schemas of all types, as the parser takes them. */
  schemas(): Record<string, BlockSchema> {
    return Object.fromEntries([...this.#types].map(([type, definition]) => [type, definition.schema]))
  }
}
