/** "Any host, any display": one entry then serves whatever number the X server picks. */
const FAMILY_WILD = 0xffff
const COOKIE_NAME = 'MIT-MAGIC-COOKIE-1'

/** Length of the cookie in bytes. */
export const X_COOKIE_BYTES = 16

/**
 * The bytes of an Xauthority file with one cookie for every address and display number.
 *
 * @see Xau(3): family, then address, number, name and data, each as a 16-bit length and its bytes, big-endian.
 */
export function xAuthorityFile(cookie: Uint8Array): Buffer {
  return Buffer.concat([uint16(FAMILY_WILD), counted(''), counted(''), counted(COOKIE_NAME), counted(cookie)])
}

function counted(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
  return Buffer.concat([uint16(bytes.length), bytes])
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
