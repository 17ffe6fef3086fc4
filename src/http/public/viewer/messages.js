/**
 * What a page says when its socket has closed. `state` is what the pill shows, `retry` whether it tries again by itself,
 * `again` the label of a button that does.
 */
const messages = {
  1003: {
    state: 'refused',
    pill: 'Refused',
    title: 'Connection refused',
    text: 'The viewer sent something that the server does not take.',
  },
  1008: { state: 'refused', pill: 'Refused', title: 'Connection refused', text: 'The viewer left the protocol.' },
  1011: { retry: true, title: 'Display not answering', text: 'The session’s display closed the connection.' },
  1012: { retry: true, title: 'Display restarting', text: 'The session’s display is being restarted.' },
  4401: {
    state: 'refused',
    pill: 'Refused',
    title: 'This link is not valid',
    text: 'It was used already, has expired, or was revoked. Ask for a new one.',
  },
  4403: { state: 'refused', pill: 'Refused', title: 'Not allowed here', text: 'This link is for a page on another site.' },
  4404: { retry: true, title: 'No live view now', text: 'The session is not known here, or has no display at the moment.' },
  4408: {
    state: 'ended',
    pill: 'Opened elsewhere',
    title: 'Opened in another tab',
    text: 'This view goes on in another tab.',
    again: 'Watch here',
  },
  4409: { retry: true, title: 'Server closing', text: 'The server is closing or being restarted.' },
  4410: { state: 'ended', pill: 'Ended', title: 'Session ended', text: 'The browser session is over. There is nothing more to see.' },
  4429: {
    state: 'refused',
    pill: 'Full',
    title: 'Too many viewers',
    text: 'As many people as there may be are watching this session.',
    again: 'Try again',
  },
}

const lost = { retry: true, title: 'Connection lost', text: 'The server cannot be reached.' }

export const noLink = {
  state: 'refused',
  pill: 'No link',
  title: 'A link is needed',
  text: 'This address opens with a link that carries a token. Ask for one.',
}

/** What to say and do after a close with this code. */
export function messageFor(code) {
  return messages[code] ?? lost
}
