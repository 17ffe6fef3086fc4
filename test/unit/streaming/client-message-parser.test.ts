import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RfbClientMessageParser } from '../../../src/streaming/rfb/client-message-parser.js'
import * as rfb from './rfb-messages.js'

const pictures = [rfb.setPixelFormat, rfb.setEncodings(7, 16, -239), rfb.updateRequest, rfb.enableContinuousUpdates, rfb.fence()]
const inputs = [rfb.keyEvent, rfb.pointerEvent, rfb.qemuKeyEvent]
const refused = [rfb.cutText('secret'), rfb.extendedCutText(Buffer.alloc(300, 4)), rfb.cutText(''), rfb.setDesktopSize, rfb.xvp]

function parse(chunks: readonly Uint8Array[], scope: 'view' | 'control' = 'view') {
  const parser = new RfbClientMessageParser({ isInputAllowed: () => scope === 'control' })
  const forward: Buffer[] = []
  let violation: string | null = null
  for (const chunk of chunks) {
    const piece = parser.push(Buffer.from(chunk)) // a copy: what it keeps must not be ours
    forward.push(...piece.forward.map((bytes) => Buffer.from(bytes)))
    violation = piece.violation
  }
  return { bytes: Buffer.concat(forward), violation }
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((start, index) => bytes.subarray(start, at[index] ?? bytes.length))
}

const anyMessage = fc.oneof(
  fc.constantFrom(...pictures, ...inputs, ...refused),
  fc.array(fc.integer(), { maxLength: 40 }).map((encodings) => rfb.setEncodings(...encodings)),
  fc.string({ maxLength: 40 }).map((text) =>
    rfb.fence(
      Buffer.from(text)
        .toString('latin1')
        .slice(0, 64)
        .replaceAll(/[^ -~]/g, '?'),
    ),
  ),
  fc.uint8Array({ maxLength: 5_000 }).map((bytes) => rfb.extendedCutText(Buffer.from(bytes))),
)

describe('RfbClientMessageParser', () => {
  it('passes the handshake and whatever concerns the picture', () => {
    const stream = Buffer.concat([rfb.handshake, ...pictures])
    expect(parse([stream])).toEqual({ bytes: stream, violation: null })
  })

  it('passes keys and pointer to the one in control, and to nobody else', () => {
    const stream = Buffer.concat([rfb.handshake, ...inputs, rfb.updateRequest])
    expect(parse([stream], 'control').bytes).toEqual(stream)
    expect(parse([stream], 'view').bytes).toEqual(Buffer.concat([rfb.handshake, rfb.updateRequest]))
  })

  it('asks at each message whether input is allowed', () => {
    let isInputAllowed = false
    const parser = new RfbClientMessageParser({ isInputAllowed: () => isInputAllowed })
    parser.push(rfb.handshake)
    expect(parser.push(rfb.keyEvent).forward).toEqual([])
    isInputAllowed = true
    expect(parser.push(rfb.keyEvent).forward).toEqual([rfb.keyEvent])
  })

  it.each(['view', 'control'] as const)('passes no clipboard, resize or power message with scope %s', (scope) => {
    const stream = Buffer.concat([rfb.handshake, ...refused, rfb.updateRequest])
    expect(parse([stream], scope)).toEqual({ bytes: Buffer.concat([rfb.handshake, rfb.updateRequest]), violation: null })
  })

  it('takes out the encodings that would allow messages which it cannot measure', () => {
    const offered = rfb.setEncodings(7, -316, -309, -305, -259, 0xc0a1e5ce, -258, -308, 0)
    expect(parse([rfb.handshake, offered]).bytes).toEqual(Buffer.concat([rfb.handshake, rfb.setEncodings(7, -258, -308, 0)]))
  })

  it('makes every client share the display', () => {
    const alone = Buffer.from(rfb.handshake)
    alone[13] = 0
    expect(parse([alone]).bytes).toEqual(rfb.handshake)
  })

  it('knows clients of version 3.3, which say nothing about security', () => {
    const stream = Buffer.concat([Buffer.from('RFB 003.003\n'), Buffer.of(1), rfb.updateRequest])
    expect(parse([stream])).toEqual({ bytes: stream, violation: null })
  })

  it.each([
    ['another version', Buffer.from('RFB 009.001\n'), /ProtocolVersion/],
    ['no RFB at all', Buffer.from('GET / HTTP/1.1\r\n'), /ProtocolVersion/],
    ['another security type', Buffer.from('RFB 003.008\n\x02', 'latin1'), /security type 2/],
    ['an unknown message', Buffer.concat([rfb.handshake, Buffer.of(77)]), /message type 77/],
    ['an unknown QEMU message', Buffer.concat([rfb.handshake, rfb.qemuAudio]), /QEMU message 1/],
    ['too many encodings', Buffer.concat([rfb.handshake, Buffer.of(2, 0, 0xff, 0xff)]), /65535 encodings/],
    ['too long a text', Buffer.concat([rfb.handshake, Buffer.of(6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)]), /ClientCutText/],
    ['the longest extended text', Buffer.concat([rfb.handshake, Buffer.of(6, 0, 0, 0, 0x80, 0, 0, 0)]), /ClientCutText/],
    ['too long a fence', Buffer.concat([rfb.handshake, Buffer.of(248, 0, 0, 0, 0, 0, 0, 0, 65)]), /ClientFence/],
  ])('ends on %s', (_, stream, violation) => {
    expect(parse([stream]).violation).toMatch(violation)
  })

  it('passes nothing after a violation', () => {
    const parser = new RfbClientMessageParser({ isInputAllowed: () => true })
    parser.push(Buffer.concat([rfb.handshake, Buffer.of(77)]))
    expect(parser.push(rfb.updateRequest)).toMatchObject({ forward: [], violation: expect.any(String) })
  })

  it('gives the same bytes however the stream is split', () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        fc.constantFrom('view', 'control'),
        (messages, cuts, scope) => {
          const stream = Buffer.concat([rfb.handshake, ...messages])
          expect(parse(split(stream, cuts), scope)).toEqual(parse([stream], scope))
          expect(parse([stream], scope).violation).toBeNull()
        },
      ),
      { numRuns: 500 },
    )
  })

  it('gives the same bytes byte by byte', () => {
    const stream = Buffer.concat([rfb.handshake, ...pictures, ...refused, ...inputs, ...pictures])
    expect(parse([...stream].map((byte) => Buffer.of(byte)))).toEqual(parse([stream]))
  })

  it('lets no input of a view through, in whatever company and however split', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 30 }), (messages, cuts) => {
        const { bytes } = parse(split(Buffer.concat([rfb.handshake, ...messages]), cuts))
        expect(messageTypes(bytes).filter((type) => ![0, 2, 3, 150, 248].includes(type))).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('never throws, and lets no input of a view through, on 10,000 mutated streams', () => {
    const mutation = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), kind: fc.constantFrom('set', 'insert', 'remove') })
    const whole = Buffer.concat([rfb.handshake, ...pictures, ...inputs, ...refused, ...pictures])
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(), { maxLength: 6 }), (mutations, cuts) => {
        const bytes = [...whole]
        for (const { at, byte, kind } of mutations) {
          if (kind === 'insert') bytes.splice(at % bytes.length, 0, byte)
          else bytes.splice(at % bytes.length, 1, ...(kind === 'set' ? [byte] : []))
        }
        const { bytes: passed } = parse(split(Buffer.from(bytes), cuts))
        expect(messageTypes(passed).filter((type) => ![0, 2, 3, 150, 248].includes(type))).toEqual([])
      }),
      { numRuns: 10_000 },
    )
  })
})

/** An independent reading of a stream of picture messages: their types, or what stands where one should. */
function messageTypes(stream: Buffer): number[] {
  const types: number[] = []
  if (stream.length < 14) return types
  let at = stream.toString('latin1', 0, 12) === 'RFB 003.003\n' ? 13 : 14
  while (at < stream.length) {
    const type = stream.readUInt8(at)
    types.push(type)
    if (type === 0) at += 20
    else if (type === 2) at += 4 + 4 * stream.readUInt16BE(at + 2)
    else if (type === 3 || type === 150) at += 10
    else if (type === 248) at += 9 + stream.readUInt8(at + 8)
    else return types
  }
  return types
}
