// One paragraph that is read out when it changes and takes no room on the screen.

export function render({model}) {
  const paragraph = document.createElement("p")
  paragraph.className = "cranpm-summary"
  paragraph.setAttribute("role", "status")
  paragraph.setAttribute("aria-live", "polite")
  // hidden from the eye only: what has no size or is not displayed is not read
  paragraph.style.cssText = "position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%)"
  const say = () => { paragraph.textContent = model.text }
  say()
  model.on("text", say)
  return paragraph
}
