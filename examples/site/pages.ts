import { type ExportRequest, selectInvoices } from './export.js'
import { decimalAmount, formatAmount, type Invoice, invoicePage, invoices } from './invoices.js'
import type { SiteSession } from './sessions.js'
import { escapeHtml, fill } from './templates.js'

type Section = 'home' | 'invoices' | 'export' | 'none'

export function signInPage(values: { next: string; username: string; error?: string; notice?: string }): string {
  const error = values.error ? `<p class="message error" role="alert" data-testid="error">${escapeHtml(values.error)}</p>` : ''
  const notice = values.notice ? `<p class="message" role="status" data-testid="notice">${escapeHtml(values.notice)}</p>` : ''
  const content = fill('sign-in', { next: values.next, username: values.username, message: error + notice })
  return fill('layout', { title: 'Sign in', header: fill('header-signed-out'), content })
}

export function homePage(session: SiteSession): string {
  const { openTotalCents, pages } = invoicePage(1)
  const openCount = invoices.filter((invoice) => invoice.status === 'open').length
  const content = fill('home', {
    username: session.username,
    count: String(invoices.length),
    pages: String(pages),
    openCount: String(openCount),
    openTotal: formatAmount(openTotalCents),
    openTotalAmount: decimalAmount(openTotalCents),
  })
  return page(session, 'home', 'Home', content)
}

/** The table's rows are not in it: the page's script fetches them. */
export function invoicesPage(session: SiteSession): string {
  return page(session, 'invoices', 'Invoices', fill('invoices'))
}

export function invoiceDetailPage(session: SiteSession, invoice: Invoice): string {
  const content = fill('invoice', {
    id: invoice.id,
    customer: invoice.customer,
    date: invoice.date,
    status: invoice.status,
    amount: formatAmount(invoice.amountCents),
    amountDecimal: decimalAmount(invoice.amountCents),
  })
  return page(session, 'invoices', `Invoice ${invoice.id}`, content)
}

export function exportPage(session: SiteSession, errors: Readonly<Record<string, string>> = {}): string {
  const items = Object.values(errors).map((error) => `<li>${escapeHtml(error)}</li>`)
  const message = items.length > 0 ? `<div class="message error" role="alert" data-testid="error"><ul>${items.join('')}</ul></div>` : ''
  return page(session, 'export', 'Export invoices', fill('export', { message }))
}

export function exportDonePage(session: SiteSession, request: ExportRequest): string {
  const labels = { all: 'All invoices', open: 'Open invoices', paid: 'Paid invoices' }
  const content = fill('export-done', {
    id: request.id,
    name: request.name,
    format: request.format.toUpperCase(),
    status: labels[request.status],
    includeHeader: request.includeHeader ? 'Yes' : 'No',
    priority: request.priority === 'urgent' ? 'Urgent' : 'Normal',
    notes: request.notes || '–',
    count: String(selectInvoices(request).length),
  })
  return page(session, 'export', 'Export is ready', content)
}

export function problemPage(session: SiteSession | undefined, title: string, text: string): string {
  const content = fill('problem', { title, text })
  return session ? page(session, 'none', title, content) : fill('layout', { title, header: fill('header-signed-out'), content })
}

function page(session: SiteSession, section: Section, title: string, content: string): string {
  const current = (of: Section) => (of === section ? 'aria-current="page"' : '')
  const header = fill('header', {
    username: session.username,
    home: current('home'),
    invoices: current('invoices'),
    export: current('export'),
  })
  return fill('layout', { title, header, content })
}
