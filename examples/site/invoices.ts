export interface Invoice {
  readonly id: string
  readonly customer: string
  /** ISO date, no time. */
  readonly date: string
  readonly amountCents: number
  readonly status: 'open' | 'paid'
}

/** One page of the table, as `/api/invoices` sends it. Amounts are in cents. */
export interface InvoicePage {
  readonly page: number
  readonly pages: number
  readonly count: number
  readonly pageTotalCents: number
  readonly openTotalCents: number
  readonly invoices: readonly Invoice[]
}

const pageSize = 8

const customers = [
  'Aster & Bloom Florists',
  'Bluewater Kayaks',
  'Cinder Lane Pottery',
  'Dovetail Joinery',
  'Ember Coffee Roasters',
  'Fernhill Bakery',
  'Greystone Masons',
  'Hollow Oak Books',
  'Ironbridge Cycles',
  'Juniper Dental Care',
]

/** Written out, so that tests and workflows can count on every figure. Newest last. */
const rows: readonly (readonly [date: string, customerIndex: number, amountCents: number, status: Invoice['status']])[] = [
  ['2025-01-07', 0, 123_450, 'paid'],
  ['2025-01-13', 3, 84_000, 'paid'],
  ['2025-01-21', 7, 21_995, 'open'],
  ['2025-01-30', 1, 310_000, 'paid'],
  ['2025-02-04', 4, 58_720, 'paid'],
  ['2025-02-11', 8, 149_900, 'open'],
  ['2025-02-18', 2, 7_560, 'paid'],
  ['2025-02-26', 6, 502_375, 'paid'],
  ['2025-03-03', 5, 33_310, 'paid'],
  ['2025-03-12', 9, 275_000, 'open'],
  ['2025-03-19', 0, 98_015, 'paid'],
  ['2025-03-27', 3, 164_240, 'paid'],
  ['2025-04-02', 7, 12_905, 'paid'],
  ['2025-04-10', 1, 221_600, 'open'],
  ['2025-04-16', 4, 61_180, 'paid'],
  ['2025-04-29', 8, 189_900, 'paid'],
  ['2025-05-06', 2, 9_450, 'open'],
  ['2025-05-14', 6, 1_048_500, 'open'],
  ['2025-05-20', 5, 35_775, 'paid'],
  ['2025-05-28', 9, 240_000, 'paid'],
  ['2025-06-05', 0, 112_330, 'open'],
  ['2025-06-12', 3, 73_999, 'open'],
  ['2025-06-18', 7, 27_405, 'paid'],
  ['2025-06-30', 1, 405_001, 'open'],
]

/** All invoices, `INV-1001` to `INV-1024`. */
export const invoices: readonly Invoice[] = rows.map(([date, customerIndex, amountCents, status], index) => ({
  id: `INV-${1001 + index}`,
  customer: customers[customerIndex] ?? '',
  date,
  amountCents,
  status,
}))

export function findInvoice(id: string): Invoice | undefined {
  return invoices.find((invoice) => invoice.id === id)
}

/** @param page From 1; anything outside the pages gives the nearest one. */
export function invoicePage(page: number): InvoicePage {
  const pages = Math.ceil(invoices.length / pageSize)
  const shown = Number.isInteger(page) ? Math.min(Math.max(page, 1), pages) : 1
  const onPage = invoices.slice((shown - 1) * pageSize, shown * pageSize)
  return {
    page: shown,
    pages,
    count: invoices.length,
    pageTotalCents: totalCents(onPage),
    openTotalCents: totalCents(invoices.filter((invoice) => invoice.status === 'open')),
    invoices: onPage,
  }
}

export function totalCents(of: readonly Invoice[]): number {
  return of.reduce((sum, invoice) => sum + invoice.amountCents, 0)
}

/** `123450` → `1234.50`, for programs. */
export function decimalAmount(cents: number): string {
  return (cents / 100).toFixed(2)
}

/** `123450` → `1,234.50 €`, for people. */
export function formatAmount(cents: number): string {
  return `${decimalAmount(cents).replace(/\B(?=(\d{3})+\.)/g, ',')} €`
}
