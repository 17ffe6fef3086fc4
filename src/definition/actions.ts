import { z } from 'zod'
import { requireKeys } from './require-keys.js'
import { selectorsSchema } from './selectors.js'
import { targetSchema } from './target.js'

/** States of an element that `wait_for` waits for. */
export const WAIT_STATES = ['visible', 'hidden', 'attached', 'detached'] as const

/** States of an element that `assert` tests. */
export const ASSERT_STATES = [...WAIT_STATES, 'enabled', 'disabled', 'checked', 'unchecked'] as const

/** What can follow when a step fails. */
export const STEP_FAILURE_MODES = ['abort', 'continue', 'retry', 'agent'] as const

/** What follows when a step fails. */
export type StepFailureMode = (typeof STEP_FAILURE_MODES)[number]

/** Points of a page's loading that `wait_for` waits for. */
export const LOAD_STATES = ['domcontentloaded', 'load', 'networkidle'] as const

const text = z.string().min(1)
const target = targetSchema
const waitSec = z.number().min(0).max(1_800)

/** What every action may carry beside its own fields. */
const common = {
  /** Why the step is done, in the author's words: shown in timelines and generated scripts. Not used to find anything. */
  intention: text.optional(),
  /** Deadline of the step in milliseconds, 1 to 3,600,000. Without it, the engine's `actionTimeoutMs` or `navigationTimeoutMs` holds. */
  timeoutMs: z.int().min(1).max(3_600_000).optional(),
  /**
   * What follows when the step fails: its list ends and the block fails (`abort`), the list goes on (`continue`), the step is made again
   * (`retry`), or again and then handed to the agent (`agent`). @default 'abort'
   */
  onFailure: z.enum(STEP_FAILURE_MODES).default('abort'),
  /** Whether the step may be performed again when it is unknown if it took effect. Without it, by its type: clicks, keys, uploads, drops, added text, tabs and going back may not. */
  idempotent: z.boolean().optional(),
}

/** For the actions that may make a page ask something. */
const dialog = {
  /**
   * How a dialog that the action sets off (alert, confirm, prompt) is answered: accepted, with `text` for a prompt, or dismissed. Without
   * it, dismissed.
   */
  dialog: z.strictObject({ accept: z.boolean().default(true), text: z.string().optional() }).optional(),
}

const action = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.strictObject({ type: z.literal(type), ...shape, ...common })

/** Every action type with its own fields. Texts are templates. */
export const actionSchemas = {
  click: action('click', {
    target,
    /** Which button of the mouse. @default 'left' */
    button: z.enum(['left', 'right', 'middle']).default('left'),
    /** 2 is a double click. @default 1 */
    clickCount: z.int().min(1).max(3).default(1),
    ...dialog,
  }),
  hover: action('hover', { target }),
  input_text: action('input_text', {
    target,
    /** The text; a secret is written `{{ KEY.password }}`. */
    value: z.string(),
    /** Whether what the field holds is removed first. @default true */
    clear: z.boolean().default(true),
    ...dialog,
  }),
  select_option: requireKeys(
    action('select_option', {
      target,
      /** The option's value or label. */
      value: z.string().optional(),
      /** Values or labels, for a list with several choices. */
      values: z.array(z.string()).optional(),
      ...dialog,
    }),
    'exactly one',
    ['value', 'values'],
  ),
  check: action('check', { target, ...dialog }),
  uncheck: action('uncheck', { target, ...dialog }),
  press_key: action('press_key', {
    /** Key or chord as Playwright spells it: `Enter`, `Control+A`. */
    key: text,
    /** The element that gets the key; without it, the one with the focus. */
    target: target.optional(),
    ...dialog,
  }),
  upload_file: action('upload_file', {
    target,
    /** Artifact id or data address. */
    file: text,
    ...dialog,
  }),
  drag_and_drop: action('drag_and_drop', { target, /** Where the element is dropped. */ destination: target, ...dialog }),
  scroll: action('scroll', {
    /** Scrolled into view, when there is no `direction`; else the element that is scrolled. Without it, the page. */
    target: target.optional(),
    /** Without it and without a target, down. */
    direction: z.enum(['up', 'down', 'left', 'right']).optional(),
    /** How far, in CSS pixels. Without it, one screen. */
    amountPx: z.int().min(1).max(1_000_000).optional(),
  }),
  goto_url: action('goto_url', { /** A missing scheme becomes https. */ url: text, ...dialog }),
  go_back: action('go_back', {}),
  reload: action('reload', {}),
  new_tab: action('new_tab', { /** Opened in the new tab; without it, an empty page. */ url: text.optional() }),
  switch_tab: requireKeys(
    action('switch_tab', {
      /** 0-based, in the order in which the tabs were opened; negative counts from the end. */
      index: z.int().min(-1_000).max(1_000).optional(),
      /** Address pattern, see `matchesUrl`. */
      url: text.optional(),
      /** Part of the tab's title, in any case. */
      title: text.optional(),
    }),
    'exactly one',
    ['index', 'url', 'title'],
  ),
  close_tab: action('close_tab', { /** 0-based; without it, the active tab. */ index: z.int().min(-1_000).max(1_000).optional() }),
  wait: action('wait', { /** Seconds, 0 to 1,800. */ waitSec }),
  wait_for: requireKeys(
    action('wait_for', {
      target: target.optional(),
      /** Only with `target`. Without it, `visible`. */
      state: z.enum(WAIT_STATES).optional(),
      /** Address pattern, see `matchesUrl`. */
      url: text.optional(),
      /** Text that the page shows. */
      text: text.optional(),
      /** How far the page has loaded. */
      loadState: z.enum(LOAD_STATES).optional(),
    }),
    'exactly one',
    ['target', 'url', 'text', 'loadState'],
  ).refine((value) => typeof value !== 'object' || value === null || value.state === undefined || value.target !== undefined, {
    when: () => true,
    error: 'state needs target',
    path: ['state'],
    params: { expected: 'target beside state' },
  }),
  screenshot: action('screenshot', {
    /** Only this element; without it, the page. */
    target: target.optional(),
    /** Whether the whole page is taken, not only what is in view. @default false */
    fullPage: z.boolean().default(false),
  }),
  extract: action('extract', {
    selectors: selectorsSchema,
    /** Key under which the data stands in the block's `extractedInformation`. Without it, the data's own keys. */
    as: text.optional(),
  }),
  locate_element: action('locate_element', { /** The element that is found, and described; it is not touched. */ target }),
  /** A page that does not hold is given about a second to come to rest, and looked at again; with a `timeoutMs`, until that is over. */
  assert: requireKeys(
    action('assert', {
      target: target.optional(),
      /** Only with `target`. Without `state`, `text`, `value` and `count`, a target must be visible. */
      state: z.enum(ASSERT_STATES).optional(),
      /** Text that the target, or else the page, must contain. */
      text: text.optional(),
      /** Value that the target must hold, exactly; only with `target`. */
      value: z.string().optional(),
      /** How many elements the target must match; only with `target`. */
      count: z.int().min(0).max(1_000_000).optional(),
      /** Address pattern, see `matchesUrl`. */
      url: text.optional(),
    }),
    'at least one',
    ['target', 'text', 'url'],
  ).refine(
    (value) =>
      typeof value !== 'object' ||
      value === null ||
      value.target !== undefined ||
      (value.state === undefined && value.value === undefined && value.count === undefined),
    {
      when: () => true,
      error: 'state, value and count need target',
      params: { expected: 'target beside state, value and count' },
    },
  ),
  /** Ends the block as completed; later steps are not performed. */
  complete: action('complete', {}),
  /** Ends the block as terminated. */
  terminate: action('terminate', {
    /** Why; without it, the meaning of `errorCode`. */
    reason: text.optional(),
    /** One of the codes of `errorCodeMapping`: becomes the block's and the run's error code. */
    errorCode: text.optional(),
  }),
} as const

/** The name of an action type. */
export type ActionType = keyof typeof actionSchemas

/** Every action type's name. */
export const ACTION_TYPES = Object.keys(actionSchemas) as ActionType[]

/** The types that come to the same when they are performed twice; the others may act twice. */
const REPEATABLE: ReadonlySet<ActionType> = new Set([
  ...(['hover', 'input_text', 'select_option', 'check', 'uncheck', 'scroll', 'goto_url', 'reload', 'switch_tab'] as const),
  ...(['wait', 'wait_for', 'screenshot', 'extract', 'locate_element', 'assert', 'complete', 'terminate'] as const),
])

/**
 * Whether an action may be performed again when it is unknown if it took effect: as its author says, else by its type. A click, a key,
 * an upload, a drop, text added to a field, a tab opened or closed and going back count as acting twice. Pure.
 */
export function isIdempotent(action: Action): boolean {
  if (action.idempotent !== undefined) return action.idempotent
  return REPEATABLE.has(action.type) && !(action.type === 'input_text' && !action.clear)
}

const all = actionSchemas

/** Every action's schema, in the form that unions take. */
export const actionOptions = [
  all.click,
  all.hover,
  all.input_text,
  all.select_option,
  all.check,
  all.uncheck,
  all.press_key,
  all.upload_file,
  all.drag_and_drop,
  all.scroll,
  all.goto_url,
  all.go_back,
  all.reload,
  all.new_tab,
  all.switch_tab,
  all.close_tab,
  all.wait,
  all.wait_for,
  all.screenshot,
  all.extract,
  all.locate_element,
  all.assert,
  all.complete,
  all.terminate,
] as const

/** One deterministic step, told apart by `type`. */
export const actionSchema = z.discriminatedUnion('type', actionOptions)

/** A parsed action, defaults filled in. */
export type Action = z.infer<typeof actionSchema>

/** An action as authors write it. */
export type ActionInput = z.input<typeof actionSchema>

/** The parsed action of one type. */
export type ActionOf<T extends ActionType> = Extract<Action, { type: T }>
