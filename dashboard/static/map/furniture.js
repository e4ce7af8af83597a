// What lies in the map's corners: an element of its own over the figure, with buttons, scale bar and crosshair.

function make_element(parent, tag, class_name, properties = {}) {
  const element = document.createElement(tag)
  if (class_name) element.className = class_name
  Object.assign(element, properties)
  parent?.append(element)
  return element
}

function make_furniture({fig, view, config, context}) {
  const host = make_element(null, "div", "cranpm-furniture", {tabIndex: 0})
  host.setAttribute("role", "application")
  host.setAttribute("aria-label", "Map of PM2.5. Arrow keys move it, plus and minus zoom, Enter picks the place in the middle.")
  make_element(host, "style", "", {textContent: config.css})
  for (const half of ["a", "b"]) make_element(host, "div", `crosshair ${half}`) // the second only where two maps are

  const buttons = make_element(host, "div", "buttons")
  for (const [text, label, action] of [
    ["+", "Zoom in", () => view.zoom_by(0.5)],
    ["−", "Zoom out", () => view.zoom_by(2)],
    ["⌂", "Show the whole domain", () => view.go_to(config.domain, true)],
  ]) {
    const button = make_element(buttons, "button", "", {type: "button", textContent: text, title: label})
    button.setAttribute("aria-label", label)
    button.addEventListener("click", (event) => { event.stopPropagation(); action() })
  }

  const scale_bar = make_element(host, "div", "scalebar")
  function draw_scale_bar() {
    const metres = view.resolution() / Math.cosh(view.centre()[1] / 6378137) // Mercator stretches by 1 / cos(lat)
    const raw = metres * 110
    const power = Math.pow(10, Math.floor(Math.log10(raw)))
    const nice = [1, 2, 5, 10].map((k) => k * power).filter((k) => k <= raw).pop()
    scale_bar.style.width = `${nice / metres}px`
    scale_bar.textContent = nice >= 1000 ? `${nice / 1000} km` : `${nice} m`
  }

  // the figure's view may be rendered again, which empties it
  function attach() {
    if (!host.isConnected) context.index.get_one(fig)?.shadow_el.append(host)
  }
  return {host, attach, draw_scale_bar}
}
