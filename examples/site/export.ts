import { decimalAmount, type Invoice, invoices } from './invoices.js'

/** What the export form sends. */
export interface ExportRequest {
  readonly id: string
  readonly name: string
  readonly format: 'csv' | 'json'
  readonly status: 'all' | 'open' | 'paid'
  readonly includeHeader: boolean
  readonly priority: 'normal' | 'urgent'
  readonly notes: string
}

/** @returns the request, or what is wrong with the form, by field. */
export function parseExport(id: string, form: URLSearchParams): { request: ExportRequest } | { errors: Record<string, string> } {
  const name = form.get('name')?.trim() ?? ''
  const format = oneOf(form.get('format'), ['csv', 'json'] as const)
  const status = oneOf(form.get('status'), ['all', 'open', 'paid'] as const)
  const priority = oneOf(form.get('priority') ?? 'normal', ['normal', 'urgent'] as const)
  if (name !== '' && format && status && priority) {
    const notes = form.get('notes')?.trim() ?? ''
    return { request: { id, name, format, status, priority, notes, includeHeader: form.has('include_header') } }
  }
  return {
    errors: {
      ...(name === '' && { name: 'Give the export a name.' }),
      ...(!format && { format: 'Choose a format.' }),
      ...(!status && { status: 'Choose which invoices to export.' }),
      ...(!priority && { priority: 'Choose a priority.' }),
    },
  }
}

export function selectInvoices(request: ExportRequest): readonly Invoice[] {
  return invoices.filter((invoice) => request.status === 'all' || invoice.status === request.status)
}

export function exportFile(request: ExportRequest): { fileName: string; contentType: string; body: string } {
  const records = selectInvoices(request).map(({ id, customer, date, amountCents, status }) => ({
    id,
    customer,
    date,
    amount: decimalAmount(amountCents),
    status,
  }))
  const fileName = `${request.id}.${request.format}`
  if (request.format === 'json') return { fileName, contentType: 'application/json', body: `${JSON.stringify(records, null, 2)}\n` }
  const header = request.includeHeader ? ['id,customer,date,amount,status'] : []
  const lines = records.map((record) => Object.values(record).map(csvField).join(','))
  return { fileName, contentType: 'text/csv; charset=utf-8', body: `${[...header, ...lines].join('\r\n')}\r\n` }
}

function csvField(value: string): string {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

function oneOf<const T extends string>(value: string | null, allowed: readonly T[]): T | undefined {
  return allowed.find((item) => item === value)
}
