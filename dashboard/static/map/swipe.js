// A second map B right of a handle, the first one, A, left of it: one figure, whose tile layers are clipped.

function write_side(side, letter, text) {
  side.replaceChildren()
  make_element(side, "b", "tag", {textContent: letter})
  make_element(side, "span", "", {textContent: text})
}

function make_swipe({host, split, tiles, others, other, handle, config, context}) {
  const STEP = 0.02, LEAP = 0.1
  let share = handle.data.share[0]
  const is_on = () => other.data.url[0] !== config.no_tiles && !split.is_on()

  const bar = make_element(host, "div", "swipe", {tabIndex: 0})
  bar.setAttribute("role", "slider")
  bar.setAttribute("aria-label", "Handle between map A, left, and map B, right")
  bar.setAttribute("aria-valuemin", "0")
  bar.setAttribute("aria-valuemax", "100")
  const names = {a: make_element(bar, "div", "side a"), b: make_element(bar, "div", "side b")}
  make_element(bar, "div", "grip", {textContent: "⇔"})

  // layers are clipped as Bokeh clips them, but at the handle
  function clip(layer, box_of) {
    const layer_view = context.index.get_one(layer)
    if (!layer_view) return
    layer_view._set_rect = (ctx) => {
      const {left, top, width, height} = layer_view.plot_view.frame.bbox
      const [from, to] = is_on() ? box_of(Math.round(share * width), width) : [0, width]
      ctx.beginPath()
      ctx.rect(left + from, top, to - from, height)
      ctx.clip()
    }
  }

  // the layers' views, which come with the figure's
  function tame() {
    for (const layer of tiles) clip(layer, (cut) => [0, cut])
    for (const layer of others) {
      clip(layer, (cut, width) => [cut, width])
      const layer_view = context.index.get_one(layer)
      if (!layer_view) continue
      // Bokeh fits the view to a tile layer that is painted for the first time: this one joins a view that stands
      layer_view._map_data = () => {}
      layer_view._enforce_aspect_ratio = () => {}
    }
  }

  function draw() {
    bar.style.left = `${100 * share}%`
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)))
    bar.setAttribute("aria-valuetext", `${Math.round(100 * share)} % of the map shows A`)
    context.index.get_one(tiles[0])?.request_paint()
  }

  function move_to(wanted) {
    share = Math.min(Math.max(wanted, 0), 1)
    draw()
  }

  let timer = 0
  function tell() {
    clearTimeout(timer)
    timer = setTimeout(() => { handle.data = {share: [share]} }, 150)
  }

  function show() {
    bar.classList.toggle("on", is_on())
    write_side(names.a, "A", other.data.a?.[0] ?? "")
    write_side(names.b, "B", other.data.b?.[0] ?? "")
    draw()
  }

  let held = false
  bar.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return
    held = true
    bar.setPointerCapture(event.pointerId)
    bar.focus({focusVisible: false})
    event.preventDefault()
  })
  bar.addEventListener("pointermove", (event) => {
    if (!held) return
    const box = host.getBoundingClientRect()
    move_to((event.clientX - box.left) / box.width)
  })
  for (const end of ["pointerup", "pointercancel"]) bar.addEventListener(end, () => { if (held) { held = false; tell() } })
  bar.addEventListener("dblclick", () => { move_to(0.5); tell() })
  bar.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? LEAP : STEP
    const wanted = {
      ArrowLeft: share - step, ArrowRight: share + step, ArrowDown: share - step, ArrowUp: share + step,
      PageDown: share - LEAP, PageUp: share + LEAP, Home: 0, End: 1,
    }[event.key]
    if (wanted === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    move_to(wanted)
    tell()
  })

  other.connect(other.properties.data.change, show)
  split.on_change(show)
  show()
  return {tame}
}
