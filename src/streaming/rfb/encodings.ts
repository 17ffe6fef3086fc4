/**
 * Pseudo-encodings that would allow a client to send messages which this bridge does not carry. They are taken out of what it offers,
 * so that the server never answers to them and the client never sends those messages.
 *
 * @see https://github.com/rfbproto/rfbproto
 */
const WITHHELD: ReadonlySet<number> = new Set([
  -316, // ExtendedMouseButtons: PointerEvents would have two lengths, told apart by what the server said
  -309, // xvp: shut down, reboot
  -305, // gii: general input
  -259, // QEMU audio
  0xc0a1e5ce | 0, // ExtendedClipboard: the clipboard goes through the browser, if at all
])

/** A whole SetEncodings message without the withheld pseudo-encodings. */
export function withoutWithheldEncodings(message: Buffer): Buffer {
  const kept = Buffer.alloc(message.length)
  message.copy(kept, 0, 0, 4)
  let end = 4
  for (let at = 4; at < message.length; at += 4) {
    const encoding = message.readInt32BE(at)
    if (WITHHELD.has(encoding)) continue
    kept.writeInt32BE(encoding, end)
    end += 4
  }
  kept.writeUInt16BE((end - 4) / 4, 2)
  return kept.subarray(0, end)
}
