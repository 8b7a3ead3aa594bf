/** Colours of the page for canvases. */

/** A custom property as a canvas takes it: with what `light-dark()` comes to here and now. */
export function colourOf(element: HTMLElement, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}
