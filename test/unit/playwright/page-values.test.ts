import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdsText } from '../../../src/playwright/field-values.js'
import { PageDialogs } from '../../../src/playwright/page-dialogs.js'
import { cutAtLine, withoutPasswords } from '../../../src/playwright/page-observation.js'
import { placeOf } from '../../../src/playwright/request-guard.js'

describe('a field', () => {
  it.each<[string, string, boolean]>([
    ['5551234567', '(555) 123-4567', true],
    ['1234.5', '$1,234.50', true],
    ['ada', 'ADA', true],
    ['a\r\nb', 'a\nb', true],
    ['', '', true],
    ['', 'left over', false],
    ['abcdef', 'abcd', false],
    ['-5', '5', false],
    ['-5', '−5.00', true],
    ['yes', 'no', false],
    ['***', '', false],
    ['***', '***', true],
  ])('that was given %j and holds %j: %s', (asked, held, expected) => {
    expect(holdsText(asked, held)).toBe(expected)
  })

  it('holds whatever it was given, as it is or with more around it', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.string(),
        (text, before, after) => holdsText(text, text) && (text.trim() === '' || holdsText(text, before + text + after)),
      ),
    )
  })
})

describe('a tree', () => {
  it('shows no password, in whatever form it stands there', () => {
    const tree = [
      '- textbox "Pass" [ref=e1]: hunter2',
      '- textbox "Quoted" [ref=e2]: "a: b"',
      '- textbox "Single" [ref=e3]: \'12\'',
      '- textbox "Below" [ref=e4]:',
      '  - /placeholder: hunter2?',
      '  - text: hunter2',
      '- textbox "Name" [ref=e5]: hunter22',
      '- button "hunter2" [ref=e6]',
    ].join('\n')
    const shown = withoutPasswords(tree, new Set(['hunter2', 'a: b', '12']))
    expect(shown.split('\n').map((line) => line.includes('••••••'))).toEqual([true, true, true, false, false, true, false, false])
    expect(withoutPasswords(tree, new Set())).toBe(tree)
  })

  it('is cut between lines', () => {
    expect(cutAtLine('one\ntwo\nthree', 9)).toBe('one\ntwo')
    expect(cutAtLine('one long line', 5)).toBe('one l')
  })
})

it('a request goes to a host and a port, or nowhere', () => {
  expect(placeOf('https://example.com/x')).toEqual({ host: 'example.com', port: 443 })
  expect(placeOf('http://[::1]:8080/')).toEqual({ host: '::1', port: 8080 })
  expect(placeOf('http://0x7f.1/')).toEqual({ host: '127.0.0.1', port: 80 })
  for (const url of ['data:text/plain,x', 'blob:https://example.com/1', 'about:blank', 'no url']) expect(placeOf(url)).toBe(null)
})

describe('dialogs', () => {
  const dialog = (type: string, answers: string[]) =>
    ({
      type: () => type,
      message: () => 'm'.repeat(2_000),
      defaultValue: () => 'given',
      accept: async (text?: string) => void answers.push(`accept ${text ?? ''}`),
      dismiss: async () => void answers.push('dismiss'),
    }) as never

  it('are dismissed unless told otherwise, but for those before leaving; kept shortened, twenty at most', () => {
    const dialogs = new PageDialogs()
    const answers: string[] = []
    for (const type of ['alert', 'beforeunload']) dialogs.handle(dialog(type, answers))
    dialogs.answerWith({ accept: true })
    dialogs.handle(dialog('prompt', answers))
    dialogs.answerWith({ accept: true, text: 'mine' })
    dialogs.handle(dialog('prompt', answers))
    for (let more = 0; more < 30; more += 1) dialogs.handle(dialog('confirm', answers))
    expect(answers.slice(0, 4)).toEqual(['dismiss', 'accept ', 'accept given', 'accept mine'])
    expect(answers).toHaveLength(34)
    expect(dialogs.count).toBe(34)
    const seen = dialogs.take()
    expect(seen).toHaveLength(20)
    expect(seen[0]).toEqual({ type: 'alert', message: 'm'.repeat(1_000), accepted: false })
    expect(dialogs.take()).toEqual([])
  })

  it('of a pop-up count as its opener’s until somebody acts on it', () => {
    const [opener, popup] = [new PageDialogs(), new PageDialogs()]
    const answers: string[] = []
    popup.follow(opener)
    opener.answerWith({ accept: true })
    popup.handle(dialog('confirm', answers))
    popup.answerWith(null)
    popup.handle(dialog('confirm', answers))
    expect(answers).toEqual(['accept ', 'dismiss'])
    expect([opener.take().length, popup.take().length]).toEqual([1, 1])
  })
})
