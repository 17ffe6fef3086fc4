import type { Socket } from 'node:net'
import type { Clock } from '../../runtime/index.js'

/** How long a connection of which one side has ended may be silent, in milliseconds. */
const HALF_OPEN_LIMIT_MS = 60_000

/** Has the bytes of either socket go to the other, as fast as it takes them; the end of one side is passed on, a break breaks both. */
export function join(one: Socket, other: Socket, clock: Clock): void {
  one.setNoDelay(true)
  other.setNoDelay(true)
  one.pipe(other)
  other.pipe(one)
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    socket.on('error', () => peer.destroy())
    socket.once('close', () => (socket.readableEnded && socket.writableFinished ? undefined : peer.destroy()))
    socket.once('end', () => watchHalfOpen(socket, peer, clock))
  }
  if (one.destroyed) other.destroy()
  if (other.destroyed) one.destroy()
}

/** One side has said all: the other may take its time, but not for ever. */
function watchHalfOpen(socket: Socket, peer: Socket, clock: Clock): void {
  let seen = peer.bytesRead
  const look = () => {
    if (peer.bytesRead === seen) {
      socket.destroy()
      peer.destroy()
      return
    }
    seen = peer.bytesRead
    timer = clock.setTimer(look, HALF_OPEN_LIMIT_MS)
  }
  let timer = clock.setTimer(look, HALF_OPEN_LIMIT_MS)
  peer.once('close', () => timer.cancel())
}
