// The page and its server: says when the page is cut off, lets nobody press what nobody hears, and loads the same view again
// when the server answers. The link holds the view, so a new page shows what the old one did.
//
// Runs in the document's head, before Bokeh: what it does must not depend on models that came over the connection.
// Bokeh itself gives up after some attempts, and Panel tells it not to try; a session of a killed server is gone anyway.
(() => {
const ASK_MILLISECONDS = 1000, ASK_AT_LAST_MILLISECONDS = 5000, EAGER_ATTEMPTS = 30
const MAX_LOADS = 3, STAYS_MILLISECONDS = 20000 // a page that cannot stay connected is not loaded anew for ever
const KEY = "cranpm-loads"

let opened = false, cut = false, leaving = false, attempts = 0, timer = 0

const Socket = window.WebSocket
window.WebSocket = class extends Socket {
  constructor(...args) {
    super(...args)
    this.addEventListener("message", () => { opened = true; setTimeout(() => { if (!cut) remember(0) }, STAYS_MILLISECONDS) }, {once: true})
    this.addEventListener("close", () => { if (!leaving) cut_off() })
  }
}

// a page that is left loses its connection before it is gone; one that stays after all does not
addEventListener("beforeunload", () => { leaving = true; setTimeout(() => { leaving = false }, 3000) })
addEventListener("pagehide", () => { leaving = true })
addEventListener("pageshow", (event) => { if (event.persisted) { leaving = false; cut_off() } })

for (const kind of ["keydown", "keyup", "keypress"]) {
  addEventListener(kind, (event) => {
    if (cut && !event.composedPath().includes(notice)) event.stopImmediatePropagation()
  }, true)
}

let notice = null
function cut_off() {
  if (cut) return
  cut = true
  show(opened
    ? ["This page is cut off from its server.", "Its controls wait. The same view comes back by itself as soon as the server answers."]
    : ["This page could not connect to its server.", "It tries again by itself."])
  ask()
}

function ask() {
  clearTimeout(timer)
  attempts += 1
  const pause = attempts < EAGER_ATTEMPTS ? ASK_MILLISECONDS : ASK_AT_LAST_MILLISECONDS
  const again = () => { timer = setTimeout(ask, pause * (0.75 + 0.5 * Math.random())) }
  fetch("alive", {cache: "no-store", signal: AbortSignal.timeout(4000)})
    .then((answer) => answer.ok ? load_again() : again(), again)
}
document.addEventListener("visibilitychange", () => { if (cut && !document.hidden && timer !== 0) ask() })

function load_again() {
  timer = 0
  let loads = Infinity
  try { loads = Number(sessionStorage.getItem(KEY) ?? 0) } catch { /* a browser that keeps nothing */ }
  if (loads < MAX_LOADS) { remember(loads + 1); location.reload(); return }
  show(["The server answers, but keeps no connection.",
    "A proxy that lets no WebSockets through does that, or an address that the server was not told of (cranpm dashboard --origin)."], true)
}

function remember(loads) {
  try { sessionStorage.setItem(KEY, String(loads)) } catch { /* then nothing is loaded by itself */ }
}

const CSS = `
.cranpm-cut-off { position: fixed; z-index: 100000; left: 50%; top: 14px; transform: translateX(-50%); box-sizing: border-box;
  width: max-content; max-width: calc(100vw - 24px); padding: 11px 16px; border-radius: 10px; display: flex; gap: 12px; align-items: center;
  background: #8c2f0d; color: #fff; font: 13.5px/1.4 Roboto, "Helvetica Neue", Arial, sans-serif;
  box-shadow: 0 3px 18px rgb(0 0 0 / 40%); }
.cranpm-cut-off b { display: block; font-weight: 600; }
.cranpm-cut-off i { flex: none; width: 15px; height: 15px; border: 2px solid #fff; border-right-color: transparent; border-radius: 50%;
  animation: cranpm-turn 1s linear infinite; }
.cranpm-cut-off button { flex: none; padding: 5px 12px; border: 1px solid #fff; border-radius: 7px; background: none; color: #fff;
  font: inherit; cursor: pointer; }
.cranpm-cut-off button:focus-visible { outline: 2px solid #fff; outline-offset: 2px; }
.cranpm-veil { position: fixed; z-index: 99999; inset: 0; background: rgb(110 120 128 / 38%); cursor: not-allowed; }
@keyframes cranpm-turn { to { transform: rotate(1turn) } }
@media (prefers-reduced-motion: reduce) { .cranpm-cut-off i { animation: none } }
`

function show([title, text], by_hand = false) {
  if (document.body === null) { addEventListener("DOMContentLoaded", () => show([title, text], by_hand)); return }
  if (notice === null) {
    const style = document.createElement("style")
    style.textContent = CSS
    notice = document.createElement("div")
    notice.className = "cranpm-cut-off"
    notice.setAttribute("role", "alert")
    document.head.append(style)
    const veil = document.createElement("div") // the page's root has no box of its own that could fade
    veil.className = "cranpm-veil"
    document.body.append(veil, notice)
    // dialogs and menus that open over the page are children of body, too
    new MutationObserver(disable).observe(document.body, {childList: true})
    disable()
  }
  const words = document.createElement("div"), strong = document.createElement("b"), spinner = document.createElement("i")
  strong.textContent = title
  words.append(strong, text)
  const button = document.createElement("button")
  button.textContent = "Load again"
  button.onclick = () => { remember(0); location.reload() }
  notice.replaceChildren(by_hand ? button : spinner, words)
}

function disable() {
  for (const part of document.body.children) if (part !== notice && !part.inert) part.inert = true
  document.activeElement?.blur()
}
})()
