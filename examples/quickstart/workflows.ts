import { defineWorkflow, type HandlerParams, type Selectors } from 'runwright'

const invoicePage: Selectors = {
  page: { testId: 'page-info', attr: 'data-page', type: 'integer' },
  total: { testId: 'page-total', attr: 'data-amount', type: 'number' },
  invoices: {
    css: '[data-testid="invoice-row"]',
    each: {
      id: { css: '[data-field="id"]' },
      customer: { css: '[data-field="customer"]' },
      status: { css: '[data-field="status"]' },
      amount: { css: '[data-field="amount"]', attr: 'data-amount', type: 'number' },
    },
  },
}

/** Signs in, reads every page of invoices, downloads the largest one when there is enough money in them, signs out. */
export const collectInvoices = defineWorkflow({
  parameters: [
    { kind: 'workflow', key: 'site', type: 'string', description: 'Address of the site' },
    { kind: 'workflow', key: 'pages', type: 'json', default: [1, 2, 3], description: 'Pages of the table to read' },
    { kind: 'workflow', key: 'minimum_total', type: 'integer', default: 10_000, description: 'Download only above this total' },
    { kind: 'workflow', key: 'remember_me', type: 'boolean', default: true },
    { kind: 'secret', key: 'account', provider: 'memory', name: 'invoice-site' },
  ],
  blocks: [
    { type: 'goto_url', label: 'open_site', url: '{{ site }}', nextBlockLabel: 'sign_in' },
    {
      type: 'login',
      label: 'sign_in',
      nextBlockLabel: 'read_pages',
      credentialKey: 'account',
      steps: [
        { type: 'input_text', target: { label: 'User name' }, value: '{{ account.username }}' },
        { type: 'input_text', target: { css: '#password' }, value: '{{ account.password }}', intention: 'type the password' },
        { type: 'check', target: { css: '#remember' } },
        { type: 'click', target: { role: 'button', name: 'Sign in' } },
        { type: 'wait_for', target: { testId: 'username' } },
      ],
    },
    {
      type: 'for_loop',
      label: 'read_pages',
      nextBlockLabel: 'sum_up',
      loopOverParameterKey: 'pages',
      loopBlocks: [
        { type: 'goto_url', label: 'open_page', url: '{{ site }}/invoices?page={{ current_value }}' },
        {
          type: 'action',
          label: 'table_is_there',
          steps: [{ type: 'wait_for', target: { css: '#invoices[data-page="{{ current_value }}"]' } }, { type: 'screenshot' }],
        },
        {
          type: 'extraction',
          label: 'read_page',
          selectors: invoicePage,
          schema: {
            type: 'object',
            required: ['page', 'total', 'invoices'],
            properties: { page: { type: 'integer' }, total: { type: 'number' }, invoices: { type: 'array', minItems: 1 } },
          },
        },
      ],
    },
    { type: 'code', label: 'sum_up', nextBlockLabel: 'is_it_much', handler: 'sumUp' },
    {
      type: 'conditional',
      label: 'is_it_much',
      nextBlockLabel: 'catch_breath',
      branches: [
        {
          criteria: { type: 'jinja2_template', expression: '{{ sum_up.total > minimum_total }}' },
          description: 'enough to be worth a download',
          nextBlockLabel: 'download_largest',
        },
        { isDefault: true, nextBlockLabel: null },
      ],
    },
    {
      type: 'file_download',
      label: 'download_largest',
      url: '{{ site }}/invoices/{{ sum_up.largest }}',
      downloadSuffix: 'largest-invoice',
      steps: [{ type: 'click', target: { css: '#download' } }],
    },
    { type: 'wait', label: 'catch_breath', waitSec: 1, nextBlockLabel: null },
    { type: 'action', label: 'sign_out', steps: [{ type: 'click', target: { css: '#sign-out' } }] },
  ],
  finallyBlockLabel: 'sign_out',
})

/** Proves that the session is as the last run left it: the browser still knows who signed in. */
export const remembersMe = defineWorkflow({
  parameters: [{ kind: 'workflow', key: 'site', type: 'string' }],
  blocks: [
    { type: 'goto_url', label: 'come_back', url: '{{ site }}/sign-in' },
    { type: 'extraction', label: 'remembered', selectors: { user: { css: '#username', attr: 'value' } } },
    { type: 'validation', label: 'same_user', completeCriterion: "{{ remembered.user == 'ada' }}" },
    { type: 'wait', label: 'linger', waitSec: 1 },
  ],
})

interface InvoicePage {
  readonly total: number
  readonly invoices: readonly { readonly id: string; readonly customer: string; readonly status: string; readonly amount: number }[]
}

/** The `code` block's handler: an ordinary function of the host. */
export function sumUp({ outputs }: HandlerParams) {
  const iterations = outputs.read_pages as unknown as readonly (readonly { readonly label: string; readonly output: InvoicePage }[])[]
  const pages = iterations.flatMap((children) => children.filter(({ label }) => label === 'read_page').map(({ output }) => output))
  const invoices = pages.flatMap((page) => page.invoices)
  const largest = invoices.reduce((best, invoice) => (invoice.amount > best.amount ? invoice : best))
  const cents = pages.reduce((sum, page) => sum + Math.round(page.total * 100), 0)
  return {
    count: invoices.length,
    total: cents / 100,
    open: invoices.filter(({ status }) => status === 'open').length,
    largest: largest.id,
  }
}
