import RFB from '../novnc/core/rfb.js'
import { messageFor, noLink } from './messages.js'
import { Secrets, scopeOf } from './secrets.js'

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 8_000
/** A ticket lives for a minute without its socket; trying longer is of no use. */
const GIVE_UP_AFTER_MS = 75_000

const element = (id) => document.getElementById(id)
const browserSessionId = decodeURIComponent(location.pathname.split('/').at(-2) ?? '')
const streamUrl = new URL('stream', location.href)
streamUrl.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
streamUrl.hash = ''
streamUrl.search = ''

const secrets = new Secrets(browserSessionId)
let retryMs = FIRST_RETRY_MS
let lostSince = null

element('session').textContent = browserSessionId
document.title = `Live view · ${browserSessionId}`
element('again').addEventListener('click', () => {
  lostSince = null
  open()
})
if (secrets.isEmpty) show(noLink)
else open()

function open() {
  show({ state: 'connecting', pill: 'Connecting', title: 'Connecting…', text: 'Opening the session’s display.' })
  const socket = new WebSocket(streamUrl, secrets.protocols())
  let isLive = false
  socket.addEventListener('open', () => setScope(scopeOf(socket.protocol)))
  socket.addEventListener('close', ({ code }) => closed(code, isLive))
  const rfb = new RFB(element('screen'), socket, { shared: true })
  rfb.scaleViewport = true
  rfb.resizeSession = false
  rfb.background = 'transparent'
  rfb.viewOnly = true
  rfb.addEventListener('connect', () => {
    isLive = true
    secrets.tokenUsed()
    rfb.viewOnly = scopeOf(socket.protocol) !== 'control'
    if (!rfb.viewOnly) rfb.focus()
    retryMs = FIRST_RETRY_MS
    lostSince = null
    show({ state: 'live', pill: 'Live' })
  })
}

function closed(code, wasLive) {
  const message = messageFor(code)
  if (code === 4401 && !wasLive && secrets.fallBack()) return open()
  if (!message.retry) return show(message)
  lostSince ??= performance.now()
  if (performance.now() - lostSince > GIVE_UP_AFTER_MS) {
    return show({ ...message, state: 'refused', pill: 'Offline', again: 'Try again' })
  }
  show({ ...message, state: 'connecting', pill: 'Reconnecting', text: `${message.text} Trying again…` })
  // spread out, so that the viewers of a restarted server do not all come at once
  setTimeout(open, retryMs * (0.75 + Math.random() / 2))
  retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
}

function show({ state, pill, title = '', text = '', again = '' }) {
  document.body.dataset.state = state
  element('status').textContent = pill
  element('notice-title').textContent = title
  element('notice-text').textContent = text
  element('again').textContent = again
  element('again').hidden = again === ''
}

function setScope(scope) {
  element('scope').dataset.scope = scope
  element('scope').textContent = scope === 'control' ? 'In control' : 'View only'
}
