const table = document.querySelector('#invoices')
const rows = table.tBodies[0]
const byTestId = (id) => document.querySelector(`[data-testid="${id}"]`)
const [previous, next, info, pageTotal, error] = ['previous-page', 'next-page', 'page-info', 'page-total', 'error'].map(byTestId)

const decimal = (cents) => (cents / 100).toFixed(2)
const euros = (cents) => `${decimal(cents).replace(/\B(?=(\d{3})+\.)/g, ',')} €`
const pageInUrl = () => Number(new URLSearchParams(location.search).get('page') ?? 1)

let loading

/** Rows of another page are gone as soon as a page is asked for, so that nobody reads them as this page's. */
async function show(page) {
  loading?.abort()
  const { signal } = (loading = new AbortController())
  table.setAttribute('aria-busy', 'true')
  table.removeAttribute('data-page')
  rows.replaceChildren(...Array.from({ length: 8 }, placeholderRow))
  error.hidden = previous.disabled = next.disabled = true
  info.textContent = 'Loading…'
  pageTotal.textContent = '–'
  pageTotal.removeAttribute('data-amount')
  try {
    const response = await fetch(`/api/invoices?page=${page}`, { signal })
    if (response.status === 401) return location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`)
    if (!response.ok) throw new Error(`the server answered ${response.status}`)
    draw(await response.json())
  } catch (cause) {
    if (signal.aborted) return
    rows.replaceChildren()
    error.textContent = `The invoices could not be loaded: ${cause.message}.`
    error.hidden = false
    info.textContent = ''
    table.setAttribute('aria-busy', 'false')
  }
}

function draw({ page, pages, pageTotalCents, invoices }) {
  rows.replaceChildren(...invoices.map(invoiceRow))
  pageTotal.textContent = euros(pageTotalCents)
  pageTotal.dataset.amount = decimal(pageTotalCents)
  info.textContent = `Page ${page} of ${pages}`
  info.dataset.page = page
  info.dataset.pages = pages
  previous.disabled = page <= 1
  next.disabled = page >= pages
  previous.onclick = () => go(page - 1)
  next.onclick = () => go(page + 1)
  table.dataset.page = page
  table.setAttribute('aria-busy', 'false')
}

function invoiceRow({ id, customer, date, amountCents, status }) {
  const row = document.createElement('tr')
  row.dataset.testid = 'invoice-row'
  row.dataset.id = id
  const link = element('a', id, { href: `/invoices/${id}`, 'data-testid': 'invoice-link' })
  row.append(
    cell('id', link),
    cell('customer', customer),
    cell('date', element('time', date, { datetime: date })),
    cell('status', element('span', status, { class: `badge ${status}` })),
    cell('amount', euros(amountCents), { class: 'number', 'data-amount': decimal(amountCents) }),
  )
  return row
}

function placeholderRow() {
  const row = element('tr', undefined, { class: 'placeholder', 'aria-hidden': 'true' })
  row.append(...Array.from({ length: 5 }, () => element('td', element('span'))))
  return row
}

const cell = (field, content, attributes) => element('td', content, { 'data-field': field, ...attributes })

function element(name, content, attributes = {}) {
  const created = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value)
  if (content !== undefined) created.append(content)
  return created
}

function go(page) {
  history.pushState(null, '', `?page=${page}`)
  show(page)
}

addEventListener('popstate', () => show(pageInUrl()))
show(pageInUrl())
