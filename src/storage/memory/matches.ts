import { isComputed } from '../rows.js'
import type { Condition, Where } from '../storage.js'
import { compareValues, type StoredRow } from './order.js'

/** Conditions on any table. */
export type AnyWhere = Where<Record<string, unknown>>

/** Whether a row meets a condition; `nowMs` is the storage's time. */
export function matches(row: StoredRow, where: AnyWhere | undefined, nowMs: number): boolean {
  if (where === undefined) return true
  for (const column in where) {
    const condition = (where as Record<string, unknown>)[column]
    if (condition === undefined) continue
    if (column === 'any') {
      if (!(condition as readonly AnyWhere[]).some((alternative) => matches(row, alternative, nowMs))) return false
    } else if (!meets(row[column], condition, nowMs)) return false
  }
  return true
}

function meets(value: unknown, condition: unknown, nowMs: number): boolean {
  if (condition === null) return value === null
  if (typeof condition !== 'object' || condition instanceof Date || isComputed(condition)) return isSame(value, condition, nowMs)
  for (const operator in condition) {
    const operand = (condition as Record<string, unknown>)[operator]
    if (operand === undefined) continue
    if (!holds(value, operator as keyof Condition, operand, nowMs)) return false
  }
  return true
}

function holds(value: unknown, operator: keyof Condition, operand: unknown, nowMs: number): boolean {
  if (operator === 'isNull') return (value === null) === operand
  if (value === null) return false // comparisons with null are never true
  switch (operator) {
    case 'eq':
      return isSame(value, operand, nowMs)
    case 'ne':
      return !isSame(value, operand, nowMs)
    case 'in':
      return (operand as readonly unknown[]).some((item) => isSame(value, item, nowMs))
    case 'notIn':
      return !(operand as readonly unknown[]).some((item) => isSame(value, item, nowMs))
    case 'lt':
      return compareValues(value, resolve(operand, nowMs)) < 0
    case 'lte':
      return compareValues(value, resolve(operand, nowMs)) <= 0
    case 'gt':
      return compareValues(value, resolve(operand, nowMs)) > 0
    case 'gte':
      return compareValues(value, resolve(operand, nowMs)) >= 0
    case 'contains':
      return (value as string).toLowerCase().includes((operand as string).toLowerCase())
  }
}

function isSame(value: unknown, operand: unknown, nowMs: number): boolean {
  if (typeof operand !== 'object') return value === operand
  return value instanceof Date && value.getTime() === Number(resolve(operand, nowMs))
}

/** The storage's time for a computed operand, else the operand itself. */
function resolve(operand: unknown, nowMs: number): unknown {
  return isComputed(operand) && operand.compute === 'storageNow' ? nowMs + operand.plusMs : operand
}
