// Two maps with one view, A in the left half and B in the right one: one figure, whose layers are painted twice.
//
// The figure keeps one pair of ranges, so both halves move in one paint and there is nothing to link. Its middle half is
// what is seen: it is painted a quarter of the width to the left, with A's tiles, and as much to the right, with B's.
// Pointers are moved back by as much, so that every tool works in both halves. Without a split nothing is done at all.

function make_split({fig, view, host, tiles, others, other, config, context}) {
  const MIN_WINDOW = 900, MIN_MAP = 480 // narrower ones [px] have a handle instead
  const is_wanted = () => other.data.mode?.[0] === "side" && other.data.url[0] !== config.no_tiles
  const is_narrow = () => innerWidth < MIN_WINDOW || fig.inner_width < MIN_MAP
  const listeners = []
  let on = false
  let painted = null // the half that is painted now
  let half = 0 // where the pointer is
  let held = false // a drag that has begun stays in its half
  const shift_of = (which) => on ? (which === 0 ? -1 : 1) * fig.inner_width / 4 : 0

  const line = make_element(host, "div", "split")
  const names = {a: make_element(line, "div", "side a"), b: make_element(line, "div", "side b")}
  const twin = make_element(host, "div", "twin")
  const narrow = make_element(host, "div", "narrow", {
    textContent: "Too narrow for two maps side by side: drag the handle instead, or widen the window.",
  })
  narrow.setAttribute("role", "status")

  // the views, which come with the figure's
  function tame() {
    const plot_view = context.index.get_one(fig)
    if (!plot_view) return
    if (!Object.hasOwn(plot_view, "_paint_levels")) paint_twice(plot_view)
    const bus = plot_view.canvas_view.ui_event_bus
    if (!Object.hasOwn(bus, "_trigger")) move_pointers(bus)
    for (const [which, layers] of [tiles, others].entries()) {
      for (const layer of layers) {
        const layer_view = context.index.get_one(layer)
        if (layer_view && !Object.hasOwn(layer_view, "_paint")) paint_in(layer_view, which)
        layer.tile_source.get_tiles_by_extent = seen_tiles(layer.tile_source)
      }
    }
  }

  function paint_twice(plot_view) {
    const paint = plot_view._paint_levels.bind(plot_view)
    plot_view._paint_levels = (ctx, ...rest) => {
      if (!on) return paint(ctx, ...rest)
      const {left, top, width, height} = plot_view.frame.bbox
      for (painted of [0, 1]) {
        ctx.save()
        ctx.beginPath()
        ctx.rect(left + painted * width / 2, top, width / 2, height)
        ctx.clip()
        ctx.translate(shift_of(painted), 0)
        paint(ctx, ...rest)
        ctx.restore()
      }
      painted = null
    }
  }

  function paint_in(layer_view, which) {
    const paint = layer_view._paint.bind(layer_view)
    layer_view._paint = (ctx) => { if (!on || painted === which) paint(ctx) }
  }

  // of the figure's extent, only the middle half is seen
  function seen_tiles(source) {
    const all = Object.getPrototypeOf(source).get_tiles_by_extent.bind(source)
    return (extent, level, border) => {
      const quarter = on ? (extent[2] - extent[0]) / 4 : 0
      return all([extent[0] + quarter, extent[1], extent[2] - quarter, extent[3]], level, border)
    }
  }

  function move_pointers(bus) {
    const trigger = bus._trigger.bind(bus)
    bus._trigger = (signal, event) => {
      if (!on) return trigger(signal, event)
      if (!held) half = event.sx < fig.inner_width / 2 ? 0 : 1
      if (/_start$/.test(event.type)) held = true
      if (/_end$/.test(event.type)) held = false
      return trigger(signal, {...event, sx: event.sx - shift_of(half)})
    }
  }

  // where something of the figure is on the screen, in the half of the pointer
  const to_screen = (sx) => sx + shift_of(half)

  function point(pointer) {
    twin.classList.toggle("on", on && pointer !== null)
    if (pointer === null) return
    twin.style.transform = `translate(${Math.round(pointer.sx + shift_of(1 - half))}px, ${Math.round(pointer.sy)}px)`
  }

  function update() {
    const before = on
    on = is_wanted() && !is_narrow()
    narrow.classList.toggle("on", is_wanted() && !on)
    host.classList.toggle("halves", on)
    line.classList.toggle("on", on)
    for (const side of "ab") write_side(names[side], side.toUpperCase(), other.data[side]?.[0] ?? "")
    if (on === before) return
    if (on) host.dataset.split = ""
    else delete host.dataset.split
    half = 0
    point(null)
    view.set_share(on ? 0.5 : 1)
    for (const listener of listeners) listener()
    context.index.get_one(fig)?.request_repaint()
  }

  other.connect(other.properties.data.change, update)
  return {tame, update, to_screen, point, is_on: () => on, on_change: (listener) => listeners.push(listener)}
}
