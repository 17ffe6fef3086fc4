import type { DisplayDirectory } from '../display-directory.js'

export interface XvncArgumentsParams {
  readonly width: number
  readonly height: number
  readonly name: string
  readonly directory: Pick<DisplayDirectory, 'rfbSocketPath' | 'xAuthorityPath'>
  readonly frameRate: number
  readonly glx: boolean
  /** Whether the X server makes its usual socket below /tmp/.X11-unix, beside the abstract one. */
  readonly unixSocket: boolean
}

/** The arguments of a display that picks its own number, listens on nothing but a private unix socket, and takes no clipboard. */
export function xvncArguments(params: XvncArgumentsParams): readonly string[] {
  return [
    ...['-displayfd', '3'],
    ...['-geometry', `${params.width}x${params.height}`, '-depth', '24'],
    '-noreset',
    ...['-nolisten', 'tcp'],
    ...(params.unixSocket ? [] : ['-nolisten', 'unix']),
    ...['-auth', params.directory.xAuthorityPath], // without it any local user may connect
    ...['-rfbport', '-1'], // with a unix path alone the server opens 0.0.0.0:5900 as well
    ...['-rfbunixpath', params.directory.rfbSocketPath],
    ...['-rfbunixmode', String(0o600)],
    ...['-SecurityTypes', 'None'],
    '-BlacklistThreshold=1000000000', // five viewers that leave in mid-handshake would lock every other out: all come from one socket
    '-AlwaysShared',
    ...['-FrameRate', String(params.frameRate)],
    ...['-SendCutText=0', '-SendPrimary=0', '-AcceptCutText=0', '-SetPrimary=0'], // the default pushes the clipboard to every viewer
    '-AcceptSetDesktopSize=0',
    ...(params.glx ? [] : ['-extension', 'GLX']), // disables it
    ...['-desktop', params.name],
  ]
}
