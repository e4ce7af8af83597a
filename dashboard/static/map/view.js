// What part of the world is seen: fit, flights, bounds, aspect; and who is told of a move.
//
// `on_move` listeners are called at every step of a move, `on_settle` listeners once it has ended.

function make_view({fig, config, place, viewport}) {
  const move_listeners = [], settle_listeners = []
  let share = 1 // of the figure's width that is seen: the middle half where two maps stand side by side
  const width = () => share * fig.inner_width
  const height = () => fig.inner_height
  const centre = () => [(fig.x_range.start + fig.x_range.end) / 2, (fig.y_range.start + fig.y_range.end) / 2]
  const tell = (listeners) => { for (const listener of listeners) listener() }

  function resolution() {
    return (fig.x_range.end - fig.x_range.start) / Math.max(fig.inner_width, 1)
  }

  function max_resolution() {
    const [west, south, east, north] = config.domain
    return 1.25 * Math.max((east - west) / width(), (north - south) / height())
  }

  let by_hand = true
  function set_ranges(cx, cy, res) {
    const w = fig.inner_width * res / 2, h = height() * res / 2
    by_hand = false
    fig.x_range.setv({start: cx - w, end: cx + w})
    fig.y_range.setv({start: cy - h, end: cy + h})
    by_hand = true
  }

  function target_of(box) {
    const [west, south, east, north] = box
    const res = Math.max((east - west) / width(), (north - south) / height())
    return [(west + east) / 2, (south + north) / 2, Math.min(Math.max(res, config.min_resolution), max_resolution())]
  }

  let flight = 0
  let fitted = null // the box that the view was made for, until it is moved by hand
  function go_to(box, animate) {
    fitted = box
    const [cx1, cy1, r1] = target_of(box)
    cancelAnimationFrame(flight)
    if (!animate || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      set_ranges(cx1, cy1, r1)
      settled()
      return
    }
    const [cx0, cy0] = centre()
    const r0 = resolution(), begun = performance.now(), duration = 320
    const step = (now) => {
      const t = Math.min((now - begun) / duration, 1), s = t * t * (3 - 2 * t)
      const r = r0 * Math.pow(r1 / r0, s)
      // the centre moves with the resolution, so that the target stays under the eye
      const u = Math.abs(r1 - r0) < 1e-6 * r0 ? s : (r0 - r) / (r0 - r1)
      set_ranges(cx0 + (cx1 - cx0) * u, cy0 + (cy1 - cy0) * u, r)
      if (t < 1) flight = requestAnimationFrame(step)
      else settled()
    }
    flight = requestAnimationFrame(step)
  }

  function zoom_by(factor) {
    const [cx, cy] = centre()
    const w = width() * resolution() * factor / 2, h = height() * resolution() * factor / 2
    go_to([cx - w, cy - h, cx + w, cy + h], true)
  }

  function pan_by(right, up) {
    const [x, y] = centre(), res = resolution()
    fitted = null
    set_ranges(x + right * 0.15 * width() * res, y + up * 0.15 * height() * res, res)
    settled()
  }

  // -- after a move: keep the aspect, keep inside, tell the server once
  let timer = 0
  let last = null // centre and resolution
  function moved() {
    if (by_hand) fitted = null
    tell(move_listeners)
    clearTimeout(timer)
    timer = setTimeout(settled, 260)
  }

  function settled() {
    const res = resolution()
    const [cx, cy] = centre()
    const [west, south, east, north] = config.domain
    const clamped = Math.min(Math.max(res, config.min_resolution), max_resolution())
    const x = Math.min(Math.max(cx, west), east), y = Math.min(Math.max(cy, south), north)
    const aspect = (fig.y_range.end - fig.y_range.start) / height()
    if (clamped !== res || x !== cx || y !== cy || Math.abs(aspect / res - 1) > 1e-3) set_ranges(x, y, clamped)
    last = [x, y, clamped]
    tell(settle_listeners)
    const seen = width() * clamped / 2
    const data = {west: [x - seen], south: [fig.y_range.start], east: [x + seen], north: [fig.y_range.end]}
    const old = viewport.data
    if (Math.abs(old.west[0] - data.west[0]) + Math.abs(old.north[0] - data.north[0]) + Math.abs(old.east[0] - data.east[0]) > res) {
      viewport.data = data
    }
  }

  // after a change of size: the same scale and centre, but never with the picked place out of sight
  function keep() {
    if (last === null) return
    let [x, y, res] = last
    const px = place.data.x[0], py = place.data.y[0]
    if (px !== undefined && (Math.abs(px - x) > 0.46 * width() * res || Math.abs(py - y) > 0.46 * height() * res)) [x, y] = [px, py]
    set_ranges(x, y, Math.min(res, max_resolution()))
    settled()
  }

  // another share of the figure is seen: the box that was asked for, or else the same scale and centre
  function set_share(wanted) {
    share = wanted
    if (last === null) return
    if (fitted !== null) go_to(fitted, false)
    else keep()
  }

  for (const range of [fig.x_range, fig.y_range]) {
    range.connect(range.properties.start.change, moved)
    range.connect(range.properties.end.change, moved)
  }
  return {
    width, height, centre, resolution, go_to, zoom_by, pan_by, keep, set_share,
    on_move: (listener) => move_listeners.push(listener),
    on_settle: (listener) => settle_listeners.push(listener),
  }
}
