/**
 * What a message from a client is for. The bridge decides by this alone:
 * `picture` always passes, `input` passes only where input is allowed, `refused` never passes.
 */
export type ClientMessageClass = 'picture' | 'input' | 'refused'

/** How to measure and treat one type of message. */
export interface ClientMessage {
  readonly name: string
  readonly class: ClientMessageClass
  /** Bytes that must be there before `length` can tell. */
  readonly headerBytes: number
  /** Whole length in bytes from the header; a string says what is wrong with it. */
  readonly length: (header: Buffer) => number | string
}

/** No real client offers more than some 30 encodings. */
const MAX_ENCODINGS = 512
/** The protocol's own limit for the payload of a fence. */
const MAX_FENCE_BYTES = 64
/** As the clipboard's limit elsewhere; the bytes are thrown away as they come, so this bounds time, not memory. */
const MAX_CUT_TEXT_BYTES = 1024 * 1024

const fixed = (name: string, kind: ClientMessageClass, bytes: number): ClientMessage => ({
  name,
  class: kind,
  headerBytes: 1,
  length: () => bytes,
})

export const SET_ENCODINGS = 2

/**
 * Every message that this bridge knows, by its first byte. All others end the connection: their length cannot be known.
 *
 * @see RFC 6143, section 7.5, and the community's rfbproto for the extensions
 */
export const clientMessages: Readonly<Record<number, ClientMessage>> = {
  0: fixed('SetPixelFormat', 'picture', 20),
  [SET_ENCODINGS]: {
    name: 'SetEncodings',
    class: 'picture',
    headerBytes: 4,
    length: (header) => {
      const count = header.readUInt16BE(2)
      return count > MAX_ENCODINGS ? `SetEncodings with ${count} encodings` : 4 + 4 * count
    },
  },
  3: fixed('FramebufferUpdateRequest', 'picture', 10),
  4: fixed('KeyEvent', 'input', 8),
  // The 7-byte form exists only for servers that announce ExtendedMouseButtons, which is never offered to them (see encodings.ts).
  5: fixed('PointerEvent', 'input', 6),
  6: {
    name: 'ClientCutText',
    class: 'refused',
    headerBytes: 8,
    length: (header) => {
      const bytes = Math.abs(header.readInt32BE(4)) // negative: extended clipboard
      return bytes > MAX_CUT_TEXT_BYTES ? `ClientCutText of ${bytes} bytes` : 8 + bytes
    },
  },
  150: fixed('EnableContinuousUpdates', 'picture', 10),
  248: {
    name: 'ClientFence',
    class: 'picture',
    headerBytes: 9,
    length: (header) => {
      const bytes = header.readUInt8(8)
      return bytes > MAX_FENCE_BYTES ? `ClientFence with a payload of ${bytes} bytes` : 9 + bytes
    },
  },
  250: fixed('xvp', 'refused', 4),
  251: { name: 'SetDesktopSize', class: 'refused', headerBytes: 8, length: (header) => 8 + 16 * header.readUInt8(6) },
  255: {
    name: 'QEMU',
    class: 'input',
    headerBytes: 2,
    length: (header) => (header.readUInt8(1) === 0 ? 12 : `QEMU message ${header.readUInt8(1)}`),
  },
}
