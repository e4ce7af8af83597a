// The first minute: captions over the map, each of which does what it says. Shown at a first visit and when asked for.

const KEY = "cranpm-first-minute"

function is_seen() {
  try { return localStorage.getItem(KEY) !== null } catch { return false }
}

function remember() {
  try { localStorage.setItem(KEY, "seen") } catch { /* a browser that keeps nothing: the next visit is a first one, too */ }
}

// An element in any shadow root of the page.
function find_deep(selector, root = document) {
  for (const element of root.querySelectorAll("*")) {
    if (element.matches(selector)) return element
    const found = element.shadowRoot && find_deep(selector, element.shadowRoot)
    if (found) return found
  }
  return null
}

// What lies below the fold of its column, under the page's bar and with room for its own heading.
function bring_into_sight(selector) {
  const element = find_deep(selector)
  if (!element) return
  element.style.scrollMarginTop = "92px"
  element.scrollIntoView({behavior: "smooth", block: "start"})
}

function make_element(parent, tag, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties)
  parent?.append(element)
  return element
}

export function render({model}) {
  const guide = make_element(null, "section", {className: "cranpm-guide"})
  guide.setAttribute("aria-label", "First steps")
  guide.hidden = !model.welcome || is_seen()

  const list = make_element(guide, "ul")
  for (const {name, title, text, target} of model.captions) {
    const button = make_element(make_element(list, "li"), "button", {type: "button"})
    make_element(button, "b", {textContent: title})
    make_element(button, "span", {textContent: text})
    button.addEventListener("click", () => {
      remember()
      model.send_msg(name)
      if (target) setTimeout(() => bring_into_sight(target), 300) // the server opens it meanwhile
    })
  }
  const close = make_element(guide, "button", {type: "button", className: "close", textContent: "×", title: "Close"})
  close.setAttribute("aria-label", "Close the first steps")

  function hide() {
    guide.hidden = true
    remember()
  }
  close.addEventListener("click", hide)
  guide.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    event.stopPropagation() // it would close the drawer as well
    hide()
  })
  model.on("asked", () => {
    if (!guide.hidden) { hide(); return }
    guide.hidden = false
    list.querySelector("button").focus()
  })
  return guide
}
