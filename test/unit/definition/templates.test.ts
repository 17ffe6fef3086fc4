import { Interpreter } from '@huggingface/jinja'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTemplates, isTruthyText, TemplateReference } from '../../../src/definition/index.js'
import { TemplateError } from '../../../src/errors/index.js'

const templates = createTemplates()
const strict = createTemplates({ strict: true })
const scope = {
  name: 'Ada',
  n: 3,
  ratio: 1.5,
  list: [1, 'x', null],
  object: { deep: { er: 'value' }, none: null },
  yes: true,
  no: false,
  fn: () => 1,
}
const codeOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return TemplateError.is(error) ? error.code : error
  }
  return 'no error'
}

describe('templates', () => {
  it.each([
    ['plain text', 'plain text'],
    ['Hi {{ name }}!', 'Hi Ada!'],
    ['{{ n }} {{ ratio }}', '3 1.5'],
    ['{{ yes }} {{ no }}', 'true false'],
    ['[{{ missing }}{{ object.none }}{{ fn }}{{ range }}{{ object.items }}]', '[]'],
    ['[{{ missing.a.b }}{{ missing[0] }}{{ missing["x"] }}]', '[]'],
    ['{{ object.deep.er }} {{ object["deep"].er }} {{ list[1] }} {{ list[-2] }}', 'value value x x'],
    ['{{ list }}', '[1,"x",null]'],
    ['in {{ object | tojson }}', 'in {"deep":{"er":"value"},"none":null}'],
    ['[{{ missing | upper }}{{ missing | join(",") }}]', '[]'],
    ['{{ missing | default("d") }} {{ missing.x | d("e") }} {{ object.none | default("f", true) }}', 'd e f'],
    ['{{ missing | upper | default("u") }}', 'u'],
    ['  {{ name }}\n', '  Ada\n'],
    ['{% if n > 2 %}\n  yes\n{% endif %}\n', '\n  yes\n\n'],
    ['{% for x in missing %}a{% else %}none{% endfor %}', 'none'],
    ['{% for x in list %}{{ loop.index }}{{ x }},{% endfor %}', '11,2x,3,'],
    ['{{ n == "3" }} {{ n == 3 }} {{ list == [1, "x", none] }}', 'false true true'],
    ['{{ "a" ~ missing ~ n }}', 'a3'],
    ['{{ name | upper }} {{ n | string | length }} {{ [3, 1] | sum }} {{ 2.345 | round(2) }}', 'ADA 1 4 2.35'],
    ['{# a comment #}x', 'x'],
  ])('renders %j', (text, expected) => {
    expect(templates.render(text, scope)).toBe(expected)
  })

  it.each([
    ['{{ list | tojson }}', [1, 'x', null]],
    ['  {{ n | tojson }}\n', 3],
    ['{{ missing | tojson }}', null],
    ['{{ (n + 1) | tojson }}', 4],
    ['{{ n }}', '3'],
    ['{{ n | tojson }}{{ n | tojson }}', '33'],
  ])('keeps the type of a sole tojson: %j', (text, expected) => {
    expect(templates.renderValue(text, scope)).toEqual(expected)
  })

  it('renders every text of a value, and no key', () => {
    const value = { '{{ n }}': ['{{ n | tojson }}', { deep: '{{ name }}' }, 5, null] }
    expect(templates.renderDeep(value, scope)).toEqual({ '{{ n }}': [3, { deep: 'Ada' }, 5, null] })
  })

  it.each(['{% raw %}{{ x }}{% endraw %}', '{{ name', '{{ name }', '{% for x in y %}', '{{ a b }}', '{% generation %}', '{{'])(
    'does not parse %j',
    (text) => {
      expect(codeOf(() => templates.check(text))).toBe('TEMPLATE_ERROR')
    },
  )

  it.each(['{{ strftime_now("%Y") }}', '{{ raise_exception("x") }}', '{{ name | nosuch }}', '{{ n > missing }}', '{% break %}'])(
    'cannot render %j',
    (text) => {
      expect(codeOf(() => templates.render(text, scope))).toBe('TEMPLATE_ERROR')
    },
  )

  it.each([
    '{{ constructor }}{{ __proto__ }}',
    '{{ object.constructor }}{{ object.__proto__ }}{{ object["__proto__"] }}{{ object.toString }}',
    '{{ name.constructor }}{{ list.constructor }}{{ list.map }}{{ n.toFixed }}{{ fn.constructor }}{{ range.constructor }}',
    '{{ object | d(1) and object.constructor.constructor }}',
  ])('reaches no prototype: %j', (text) => {
    expect(templates.render(text, scope).replace('false', '')).toBe('')
  })

  it.each([
    '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}',
    '{{ range(1000000000) }}',
    '{% set ns = namespace(s="xxxxxxxxxxxxxxxx") %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}',
    `{{ ${'('.repeat(20_000)} }}`,
    `{{ x }}${' '.repeat(20_000)}`,
  ])('refuses what takes too many steps: %#', (text) => {
    expect(codeOf(() => templates.render(text, scope))).toBe('TEMPLATE_TOO_COMPLEX')
  })

  it('has a step budget that the host sets', () => {
    const text = '{% for i in range(50) %}{{ i }}{% endfor %}'
    expect(codeOf(() => createTemplates({ stepBudget: 50 }).render(text, {}))).toBe('TEMPLATE_TOO_COMPLEX')
    expect(templates.render(text, {})).toHaveLength(90)
  })

  it('makes an undefined variable an error when strict, unless it is asked about', () => {
    for (const text of ['{{ missing }}', '{{ object.missing }}', '{{ missing | upper }}', 'x{% if missing %}{% endif %}']) {
      expect(
        codeOf(() => strict.render(text, scope)),
        text,
      ).toBe('TEMPLATE_ERROR')
    }
    expect(strict.render('{{ missing | default(1) }} {{ missing is defined }} {{ object.x.y | d("z") }}', scope)).toBe('1 false z')
    expect(strict.render('[{{ object.none }}]', scope)).toBe('[]')
  })

  it('reads only the variables that a template names, from any kind of scope', () => {
    const asked: string[] = []
    const lookUp = (name: string) => {
      asked.push(name)
      return name === 'name' ? 'Ada' : undefined
    }
    expect(templates.render('{{ name | upper }}', lookUp)).toBe('ADA')
    expect(asked).toEqual(['name'])
    expect(templates.render('{{ name }}', new Map([['name', 'Eve']]))).toBe('Eve')
  })

  it('names the variables of a template', () => {
    const text = '{% for row in rows %}{{ row.x }}{{ a.b | default(c) }}{% set q = z %}{{ q }}{{ range(n) }}{% endfor %}'
    expect(templates.variablesOf(text)).toEqual(['rows', 'a', 'c', 'z', 'n'])
    expect(templates.variablesOf('none')).toEqual([])
  })

  it('passes references on, and lets no filter look into them', () => {
    const key = new TemplateReference('<key>', new Map([['password', '<password>']]))
    expect(templates.render('{{ key }} {{ key.password }} {{ key.other }}', { key })).toBe('<key> <password> ')
    expect(templates.renderValue('{{ key | tojson }}', { key })).toBe('<key>')
    for (const taken of [
      'key | upper',
      'key.password | upper',
      'key.password[:6]',
      'key.password | length',
      'key.password | urlencode',
      '"x" ~ key',
    ]) {
      expect(
        codeOf(() => templates.render(`{{ ${taken} }}`, { key })),
        taken,
      ).toBe('TEMPLATE_ERROR')
    }
    expect(codeOf(() => templates.render("{{ 'yes' if key.password == 'x' }}", { key }))).toBe('TEMPLATE_ERROR')
  })

  it('gives the same with and without the interpreter, and throws nothing else', () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.jsonValue())
    fc.assert(
      fc.property(value, (x) => {
        const plain = templates.render('{{ x }}', { x })
        expect(templates.render('{% if true %}{{ x }}{% endif %}', { x })).toBe(plain)
        expect(templates.renderValue('{{ x | tojson }}', { x })).toEqual(JSON.parse(JSON.stringify(x) ?? 'null'))
      }),
    )
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('{{', '}}', '{%', '%}', ' x ', '|', 'tojson', 'for', 'in', '(', ')', '"', '.', 'if', 'endif')),
        (parts) => {
          expect(['no error', 'TEMPLATE_ERROR', 'TEMPLATE_TOO_COMPLEX']).toContain(codeOf(() => templates.render(parts.join(''), scope)))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('overrides methods that the library still has', () => {
    const methods = Object.getOwnPropertyNames(Interpreter.prototype)
    for (const name of ['evaluate', 'evaluateBlock', 'evaluateArguments', 'evaluateSliceExpression', 'evaluateIdentifier'])
      expect(methods).toContain(name)
    for (const kind of ['Member', 'Binary', 'Test', 'Filter']) expect(methods).toContain(`evaluate${kind}Expression`)
    expect(methods).toContain('applyFilter')
  })
})

describe('isTruthyText', () => {
  it.each(['', '  ', 'false', 'FALSE', '0', 'no', 'n', 'Off', 'null', ' None ', '0.0', '-0', '+0', '.0', '0e5', '00'])(
    '%j is false',
    (text) => {
      expect(isTruthyText(text)).toBe(false)
    },
  )
  it.each(['true', '1', 'Yes', 'y', 'ON', '2', '-1', '0.1', '1e-5', '1.', 'any text', 'falsey', '0x0', '[]', '{}'])(
    '%j is true',
    (text) => {
      expect(isTruthyText(text)).toBe(true)
    },
  )
})
