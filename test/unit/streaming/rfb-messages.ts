/** Messages of an RFB client as bytes, for tests. */
const u8 = (...values: number[]) => Buffer.from(values)
const u16 = (...values: number[]) => Buffer.concat(values.map((value) => u8(value >> 8, value & 0xff)))
const i32 = (...values: number[]) =>
  Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32BE(value | 0)
      return bytes
    }),
  )

export const handshake = Buffer.concat([Buffer.from('RFB 003.008\n'), u8(1), u8(1)])
export const setPixelFormat = Buffer.concat([u8(0, 0, 0, 0), Buffer.alloc(16, 7)])
export const setEncodings = (...encodings: number[]) => Buffer.concat([u8(2, 0), u16(encodings.length), i32(...encodings)])
export const updateRequest = Buffer.concat([u8(3, 1), u16(0, 0, 1280, 720)])
export const enableContinuousUpdates = Buffer.concat([u8(150, 1), u16(0, 0, 1280, 720)])
export const fence = (payload = 'pong') => Buffer.concat([u8(248, 0, 0, 0), i32(0x8000_0001), u8(payload.length), Buffer.from(payload)])

export const keyEvent = Buffer.concat([u8(4, 1, 0, 0), i32(0x61)])
export const pointerEvent = Buffer.concat([u8(5, 1), u16(100, 200)])
export const qemuKeyEvent = Buffer.concat([u8(255, 0), u16(1), i32(0x61, 30)])

export const cutText = (text: string) => Buffer.concat([u8(6, 0, 0, 0), i32(text.length), Buffer.from(text)])
export const extendedCutText = (bytes: Buffer) => Buffer.concat([u8(6, 0, 0, 0), i32(-bytes.length), bytes])
export const setDesktopSize = Buffer.concat([u8(251, 0), u16(640, 480), u8(1, 0), i32(1), u16(0, 0, 640, 480), i32(0)])
export const xvp = u8(250, 0, 1, 2)
export const qemuAudio = Buffer.concat([u8(255, 1), u16(0)])
