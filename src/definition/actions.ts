import { z } from 'zod'
import { requireKeys } from './require-keys.js'
import { selectorsSchema } from './selectors.js'
import { targetSchema } from './target.js'

/** States of an element that `wait_for` waits for. */
export const WAIT_STATES = ['visible', 'hidden', 'attached', 'detached'] as const

/** States of an element that `assert` tests. */
export const ASSERT_STATES = [...WAIT_STATES, 'enabled', 'disabled', 'checked', 'unchecked'] as const

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
  /** Whether the steps after a failed one are still performed. `abort` ends the list, and the block fails. @default 'abort' */
  onFailure: z.enum(['abort', 'continue']).default('abort'),
  /** Whether the step may be performed again when it is unknown if it took effect. @default true */
  idempotent: z.boolean().default(true),
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
  }),
  hover: action('hover', { target }),
  input_text: action('input_text', {
    target,
    /** The text; a secret is written `{{ KEY.password }}`. */
    value: z.string(),
    /** Whether what the field holds is removed first. @default true */
    clear: z.boolean().default(true),
  }),
  select_option: requireKeys(
    action('select_option', {
      target,
      /** The option's value or label. */
      value: z.string().optional(),
      /** Values or labels, for a list with several choices. */
      values: z.array(z.string()).optional(),
    }),
    'exactly one',
    ['value', 'values'],
  ),
  check: action('check', { target }),
  uncheck: action('uncheck', { target }),
  press_key: action('press_key', {
    /** Key or chord as Playwright spells it: `Enter`, `Control+A`. */
    key: text,
    /** The element that gets the key; without it, the one with the focus. */
    target: target.optional(),
  }),
  upload_file: action('upload_file', {
    target,
    /** Artifact id or data address. */
    file: text,
  }),
  drag_and_drop: action('drag_and_drop', { target, /** Where the element is dropped. */ destination: target }),
  scroll: action('scroll', {
    /** Scrolled into view, when there is no `direction`; else the element that is scrolled. Without it, the page. */
    target: target.optional(),
    /** Without it and without a target, down. */
    direction: z.enum(['up', 'down', 'left', 'right']).optional(),
    /** How far, in CSS pixels. Without it, one screen. */
    amountPx: z.int().min(1).max(1_000_000).optional(),
  }),
  goto_url: action('goto_url', { /** A missing scheme becomes https. */ url: text }),
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

const all = actionSchemas

/** One deterministic step, told apart by `type`. */
export const actionSchema = z.discriminatedUnion('type', [
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
  all.assert,
  all.complete,
  all.terminate,
])

/** A parsed action, defaults filled in. */
export type Action = z.infer<typeof actionSchema>

/** An action as authors write it. */
export type ActionInput = z.input<typeof actionSchema>

/** The parsed action of one type. */
export type ActionOf<T extends ActionType> = Extract<Action, { type: T }>
