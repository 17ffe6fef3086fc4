import { describe, expect, it } from 'vitest'
import { type CredentialValue, createTemplates, SecretReferences } from '../../../src/definition/index.js'

const nonce = (fill: number) => new Uint8Array(16).fill(fill)
const values: Record<string, CredentialValue> = {
  token: 'tok-12345',
  shop: { username: 'ada', password: 'hunter2!', totpSeed: 'SEEDSEED' },
}
const create = (fill = 1) => {
  const asked: string[] = []
  const secrets = new SecretReferences({
    keys: ['token', 'shop'],
    nonce: nonce(fill),
    credentialOf: async (key) => {
      asked.push(key)
      return values[key] as CredentialValue
    },
    totp: (seed) => `${seed.length}23456`,
  })
  return { secrets, asked, render: (text: string) => createTemplates().render(text, secrets.variables) }
}

describe('SecretReferences', () => {
  it('renders references, never values, and resolves them when asked', async () => {
    const { secrets, asked, render } = create()
    const text = render('{{ token }} {{ shop.username }} {{ shop.password }} {{ shop.totp }} {{ shop }}')
    expect(text).not.toContain('hunter2!')
    expect(asked).toEqual([])
    expect(await secrets.resolve(text)).toBe('tok-12345 ada hunter2! 823456 hunter2!')
    expect(asked.sort()).toEqual(['shop', 'token'])
    expect(secrets.keysIn(text)).toEqual(['token', 'shop'])
  })

  it('displays references as the templates that made them, in keys too', () => {
    const { secrets, render } = create()
    expect(secrets.display({ [render('{{ token }}')]: [`a ${render('{{ shop.password }}')}`] })).toEqual({
      '{{ token }}': ['a {{ shop.password }}'],
    })
  })

  it('resolves only references that this execution made', async () => {
    const { secrets } = create(1)
    const foreign = create(2).render('{{ token }}')
    for (const text of ['{{ token }}', foreign, '⟦secret:token:00⟧']) expect(await secrets.resolve(text)).toBe(text)
    expect(secrets.display(foreign)).toBe(foreign)
  })

  it('does not look into what it resolved', async () => {
    const { render, secrets } = create()
    values.token = `$& ${render('{{ shop.password }}')}`
    expect(await secrets.resolve(render('{{ token }}'))).toBe(values.token)
    values.token = 'tok-12345'
  })

  it('resolves every text of a value', async () => {
    const { secrets, render } = create()
    expect(await secrets.resolveDeep({ a: [render('x{{ token }}'), 1, null] })).toEqual({ a: ['xtok-12345', 1, null] })
  })

  it('redacts what it has seen, user names excepted', async () => {
    const { secrets, render } = create()
    await secrets.resolve(render('{{ shop.totp }}'))
    expect(secrets.redact('ada hunter2! SEEDSEED 823456 tok-12345')).toBe(
      'ada {{ shop.password }} {{ shop.totp }} {{ shop.totp }} tok-12345',
    )
    await secrets.credential('token')
    expect(secrets.redact('tok-12345')).toBe('{{ token }}')
  })

  it('says which part a secret lacks, and asks again after a failure', async () => {
    const { secrets, render } = create()
    await expect(secrets.resolve(render('{{ token.username }}'))).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' })
    await expect(secrets.resolve(render('{{ token.totp }}'))).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' })
    await expect(secrets.credential('other')).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' })
    let calls = 0
    const flaky = new SecretReferences({
      keys: ['k'],
      nonce: nonce(3),
      credentialOf: async () => {
        calls += 1
        if (calls === 1) throw new Error('down')
        return 'value'
      },
    })
    await expect(flaky.credential('k')).rejects.toThrow('down')
    expect(await flaky.credential('k')).toBe('value')
  })
})
