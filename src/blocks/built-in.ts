import { code } from './code.js'
import { conditional } from './conditional.js'
import type { BlockType } from './define-block.js'
import { extraction } from './extraction.js'
import { fileDownload } from './file-download.js'
import { forLoop } from './for-loop.js'
import { action, login, navigation, task } from './goal-blocks.js'
import { gotoUrl } from './goto-url.js'
import { humanInteraction } from './human-interaction.js'
import { validation } from './validation.js'
import { wait } from './wait.js'
import { whileLoop } from './while-loop.js'
import { workflowTrigger } from './workflow-trigger.js'

/** The block types that need no further dependency. */
export const builtInBlocks: readonly BlockType[] = [
  gotoUrl,
  navigation,
  action,
  task,
  login,
  fileDownload,
  extraction,
  validation,
  conditional,
  forLoop,
  whileLoop,
  wait,
  code,
  humanInteraction,
  workflowTrigger,
] as unknown as readonly BlockType[]
