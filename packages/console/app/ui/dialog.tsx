/** Dialogs: the element itself keeps the focus in, gives it back, and closes on Escape. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { signal } from '../../src/signal.ts'
import { Button } from './parts.tsx'
import { useSignal } from './use.ts'

interface DialogProps {
  readonly title: string
  readonly children: ComponentChildren
  onClose(): void
}

/** Shown for as long as it is part of the page. */
export function Dialog({ title, children, onClose }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const dialog = element.current
    const before = document.activeElement
    dialog?.showModal()
    dialog?.querySelector<HTMLElement>('[data-first], input, select, textarea')?.focus()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={element}
      aria-labelledby={titleId}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <header>
        <h2 id={titleId}>{title}</h2>
        <Button icon="close" label="Close" iconOnly look="quiet" onClick={onClose} />
      </header>
      {children}
    </dialog>
  )
}

/** The dialog that is open, one at most. Drawn at the end of the page, so that a row that goes away does not take it along. */
const opened = signal<ComponentChildren>(undefined)
export const openDialog = (content: ComponentChildren): void => opened.set(content)
export const closeDialog = (): void => opened.set(undefined)
export const isDialogOpen = (): boolean => opened.value !== undefined
export const DialogPlace = (): JSX.Element => <>{useSignal(opened)}</>
