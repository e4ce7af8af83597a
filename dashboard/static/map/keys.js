// Keys: those of the page, unless a control has the focus; those of the map, once it has.

function make_keys({view, host, readout, keys}) {
  const CONTROLS = "a,button,input,select,summary,textarea,[contenteditable=true],[role=button],[role=option],[role=tab]," +
    "[role=slider],[role=listbox],[role=menu],[role=radiogroup],[role=dialog]"
  const PAGE_KEYS = new Set(["ArrowLeft", "ArrowRight", "1", "2", "3", " ", "Escape"])
  const MAP_KEYS = {
    ArrowLeft: () => view.pan_by(-1, 0), ArrowRight: () => view.pan_by(1, 0),
    ArrowUp: () => view.pan_by(0, 1), ArrowDown: () => view.pan_by(0, -1),
    "+": () => view.zoom_by(0.5), "=": () => view.zoom_by(0.5), "-": () => view.zoom_by(2), Enter: () => send("Enter"),
  }

  function send(key) {
    const [x, y] = view.centre()
    keys.data = {key: [key], serial: [keys.data.serial[0] + 1], x: [x], y: [y]}
  }

  document.addEventListener("keydown", (event) => {
    const path = event.composedPath()
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (path[0] === host && MAP_KEYS[event.key] !== undefined) {
      event.preventDefault()
      MAP_KEYS[event.key]()
      readout.point_at_centre()
      return
    }
    // arrows and space belong to a control that has the focus; Escape closes the drawer from everywhere
    const on_control = path.some((part) => part instanceof Element && part.matches(CONTROLS))
    if (!PAGE_KEYS.has(event.key) || (on_control && event.key !== "Escape")) return
    event.preventDefault()
    send(event.key)
  })
  host.addEventListener("focus", () => { if (host.matches(":focus-visible")) readout.point_at_centre() })
  host.addEventListener("blur", readout.leave)
}
