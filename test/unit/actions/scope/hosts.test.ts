import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMeant, parseHostEntry } from '../../../../src/actions/scope/host-entry.js'
import { canonicalHost, isPrivateName, isPublicAddress } from '../../../../src/actions/scope/hosts.js'

describe('canonical hosts', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['ｅｘａｍｐｌｅ．com', 'example.com'],
    ['2130706433', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['0177.0.0.01', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['[::1]', '::1'],
    ['0:0:0:0:0:ffff:7f00:1', '::ffff:7f00:1'],
    ['xn--80ak6aa92e.com', 'xn--80ak6aa92e.com'],
  ])('%s is %s', (raw, host) => expect(canonicalHost(raw)).toBe(host))

  it.each([
    '',
    '.',
    'a..b',
    'a b',
    'user@example.com',
    'example.com/x',
    'example.com:80',
    '999.1.1.1',
    'a%2eb',
    '::zz',
    '[::1',
    'exa\nmple.com',
  ])('%j is none', (raw) => expect(canonicalHost(raw)).toBeNull())
})

describe('addresses of the public internet', () => {
  it.each(['93.184.216.34', '1.1.1.1', '2606:4700::1111', '2a00:1450:4001:81b::200e'])('%s is', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  )

  it.each([
    ...['127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '169.254.169.254', '100.64.0.1'],
    ...['100.100.100.200', '0.0.0.0', '0.1.2.3', '224.0.0.1', '239.255.255.250', '255.255.255.255', '240.0.0.1', '198.18.0.1', '192.0.0.1'],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '168.63.129.16'],
    ...['::', '::1', 'fe80::1', 'febf::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', 'fec0::1', '2001:db8::1', '100::1'],
    // addresses that carry an IPv4 address: mapped, compatible, translated, NAT64, 6to4, Teredo
    ...['::ffff:127.0.0.1', '::ffff:93.184.216.34', '::127.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::5db8:d822'],
    ...['64:ff9b:1::7f00:1', '2002:7f00:1::', '2001:0:4136:e378:8000:63bf:3fff:fdd2', 'fe80::1%eth0'],
    ...['nonsense', ''],
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false))
})

it.each(['localhost', 'a.localhost', 'printer.local', 'metadata.google.internal', 'x.home.arpa'])('%s is private before DNS', (host) =>
  expect(isPrivateName(host)).toBe(true),
)
it.each(['localhost.example.com', 'notlocal', 'internal.example'])('%s is not', (host) => expect(isPrivateName(host)).toBe(false))

describe('hosts of policies', () => {
  const admits = (entry: string, host: string) => {
    const parsed = parseHostEntry(entry)
    if ('problem' in parsed) throw new Error(parsed.problem)
    return isMeant(parsed, canonicalHost(host) ?? '')
  }

  it.each([
    ['example.com', 'example.com'],
    ['example.com', 'app.example.com'],
    ['EXAMPLE.com.', 'a.b.example.com'],
    ['app.example.com', 'x.app.example.com'],
    ['example.co.uk', 'www.example.co.uk'],
    ['somebody.github.io', 'somebody.github.io'],
    ['bücher.example', 'shop.xn--bcher-kva.example'],
    ['127.0.0.1', '127.1'],
    ['[::1]', '::1'],
    ['localhost', 'localhost'],
    ['intranet', 'intranet'],
  ])('%s admits %s', (entry, host) => expect(admits(entry, host)).toBe(true))

  it.each([
    ['example.com', 'login.com'],
    ['example.com', 'evil-example.com'],
    ['example.com', 'example.com.evil.test'],
    ['example.com', 'examp1e.com'],
    ['example.com', 'еxample.com'],
    ['example.com', 'com'],
    ['app.example.com', 'example.com'],
    ['app.example.com', 'evilapp.example.com'],
    ['somebody.github.io', 'else.github.io'],
    ['10.0.0.1', '110.0.0.1'],
    ['intranet', 'x.intranet'],
  ])('%s does not admit %s', (entry, host) => expect(admits(entry, host)).toBe(false))

  it.each(['com', 'co.uk', 'github.io', 'COM.', '*.example.com', '*', 'example.com:443', '.example.com', 'a b', 'https'])(
    '%s is refused or stands for one name only',
    (entry) => {
      const parsed = parseHostEntry(entry)
      if (entry === 'https') expect(parsed).toEqual({ host: 'https', isWithSubdomains: false })
      else expect(parsed).toHaveProperty('problem')
    },
  )

  it('never admit what only ends alike', () => {
    const label = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
    fc.assert(
      fc.property(label, label, (name, prefix) => {
        expect(admits(`${name}.example`, `${prefix}${name}.example`)).toBe(false)
        expect(admits(`${name}.example`, `${prefix}-${name}.example`)).toBe(false)
        expect(admits(`${name}.example`, `${prefix}.${name}.example`)).toBe(true)
        expect(admits(`${name}.example`, `${name}.example.${prefix}.net`)).toBe(false)
      }),
    )
  })
})
