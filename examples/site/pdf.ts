import { formatAmount, type Invoice } from './invoices.js'

interface Line {
  readonly text: string
  readonly size: number
  readonly x: number
  readonly y: number
  readonly isBold?: boolean
}

/** A one-page A4 PDF of an invoice, in the two Helvetica fonts that every reader has. */
export function invoicePdf(invoice: Invoice): Buffer {
  return pdfDocument(`Invoice ${invoice.id}`, [
    { text: 'Harbour Books', size: 12, x: 60, y: 775, isBold: true },
    { text: `Invoice ${invoice.id}`, size: 26, x: 60, y: 715, isBold: true },
    { text: 'Customer', size: 10, x: 60, y: 665 },
    { text: invoice.customer, size: 13, x: 160, y: 665, isBold: true },
    { text: 'Date', size: 10, x: 60, y: 640 },
    { text: invoice.date, size: 13, x: 160, y: 640 },
    { text: 'Status', size: 10, x: 60, y: 615 },
    { text: invoice.status, size: 13, x: 160, y: 615 },
    { text: 'Amount', size: 10, x: 60, y: 575 },
    { text: formatAmount(invoice.amountCents), size: 20, x: 160, y: 571, isBold: true },
  ])
}

function pdfDocument(title: string, lines: readonly Line[]): Buffer {
  const content = lines.map(drawLine).join('\n')
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>',
    `<< /Title ${literal(title)} /Producer (Runwright example site) >>`,
  ]
  let file = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  // Each entry of the table is exactly 20 bytes, the last two being space and line feed.
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const size = objects.length + 1
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  return Buffer.from(`${file}xref\n0 ${size}\n0000000000 65535 f \n${table}${trailer}`, 'latin1')
}

function drawLine({ text, size, x, y, isBold }: Line): string {
  return `BT /${isBold ? 'F2' : 'F1'} ${size} Tf ${x} ${y} Td ${literal(text)} Tj ET`
}

/** A PDF string in WinAnsi: the euro sign is octal 200 there; other characters beyond Latin-1 do not occur in the data. */
function literal(text: string): string {
  return `(${text.replace(/[\\()]/g, '\\$&').replaceAll('€', '\\200')})`
}
