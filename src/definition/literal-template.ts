import { isTemplate } from './template-parser.js'

/** A template that renders to exactly this text, whatever it holds. Pure. */
export function literalTemplate(text: string): string {
  return isTemplate(text) ? text.replaceAll(/\{[{%#]/g, (opening) => `{{ ${JSON.stringify(opening)} }}`) : text
}
