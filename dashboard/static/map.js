// What the map does in the browser: fit, crossfade of tile layers, level of detail of lines and names,
// the value under the pointer, keys. Runs once per map, as the body of a Bokeh CustomJS.
//
// Arguments: fig, tiles [a, b], land, lines {kind: [renderer per detail]}, names [[halo, ink] per zoom group],
// picture {url, cell, units}, view {west.. [m], serial}, viewport (to the server), keys (to the server), config.

const W = () => fig.inner_width
const H = () => fig.inner_height

function resolution() {
  return (fig.x_range.end - fig.x_range.start) / Math.max(W(), 1)
}

function set_ranges(cx, cy, res) {
  const w = W() * res / 2, h = H() * res / 2
  fig.x_range.setv({start: cx - w, end: cx + w})
  fig.y_range.setv({start: cy - h, end: cy + h})
}

function target_of(box) {
  const [west, south, east, north] = box
  const res = Math.max((east - west) / W(), (north - south) / H())
  return [(west + east) / 2, (south + north) / 2, Math.min(Math.max(res, config.min_resolution), max_resolution())]
}

function max_resolution() {
  const [west, south, east, north] = config.domain
  return 1.25 * Math.max((east - west) / W(), (north - south) / H())
}

let flight = 0
function go_to(box, animate) {
  const [cx1, cy1, r1] = target_of(box)
  cancelAnimationFrame(flight)
  if (!animate || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    set_ranges(cx1, cy1, r1)
    settled()
    return
  }
  const cx0 = (fig.x_range.start + fig.x_range.end) / 2, cy0 = (fig.y_range.start + fig.y_range.end) / 2
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
  const cx = (fig.x_range.start + fig.x_range.end) / 2, cy = (fig.y_range.start + fig.y_range.end) / 2
  const w = W() * resolution() * factor / 2, h = H() * resolution() * factor / 2
  go_to([cx - w, cy - h, cx + w, cy + h], true)
}

// -- lines and names: only as much detail as the zoom shows; lines are fetched when first needed ----------------
const fetched = {}
function fetch_lines(kind, detail) {
  const name = `${kind}/${detail}`
  if (fetched[name]) return
  fetched[name] = true
  fetch(`outline/${name}.json`).then((r) => r.ok ? r.json() : {xs: [], ys: []}).then((data) => {
    lines[kind][detail].data_source.data = data
  }).catch(() => { fetched[name] = false })
}

let detail_now = -1
let group_now = -1
function set_detail() {
  const res = resolution()
  const detail = res > 2600 ? 0 : res > 420 ? 1 : 2
  if (detail !== detail_now) {
    detail_now = detail
    for (const kind of Object.keys(lines)) {
      fetch_lines(kind, detail)
      lines[kind].forEach((renderer, k) => { renderer.visible = k === detail })
    }
  }
  const group = config.name_resolutions.filter((limit) => res < limit).length
  if (group !== group_now) {
    group_now = group
    names.forEach((pair, k) => pair.forEach((renderer) => { renderer.visible = k < group }))
  }
}

// -- after a move: keep the aspect, keep inside, tell the server once --------------------------------------------
let timer = 0
function moved() {
  set_detail()
  draw_scale_bar()
  clearTimeout(timer)
  timer = setTimeout(settled, 260)
}

function settled() {
  attach()
  const res = resolution()
  const cx = (fig.x_range.start + fig.x_range.end) / 2, cy = (fig.y_range.start + fig.y_range.end) / 2
  const [west, south, east, north] = config.domain
  const clamped = Math.min(Math.max(res, config.min_resolution), max_resolution())
  const x = Math.min(Math.max(cx, west), east), y = Math.min(Math.max(cy, south), north)
  const aspect = (fig.y_range.end - fig.y_range.start) / H()
  if (clamped !== res || x !== cx || y !== cy || Math.abs(aspect / res - 1) > 1e-3) set_ranges(x, y, clamped)
  set_detail()
  draw_scale_bar()
  const data = {west: [fig.x_range.start], south: [fig.y_range.start], east: [fig.x_range.end], north: [fig.y_range.end]}
  const old = viewport.data
  if (Math.abs(old.west[0] - data.west[0]) + Math.abs(old.north[0] - data.north[0]) + Math.abs(old.east[0] - data.east[0]) > res) {
    viewport.data = data
  }
}

// -- pictures: the new one loads unseen over the old one and replaces it when complete --------------------------
let front = 0
let wanted = ""
function show_picture() {
  const url = picture.data.url[0]
  if (url === wanted) return
  wanted = url
  const back = 1 - front
  tiles[back].tile_source.url = url
  tiles[back].alpha = 0
  const begun = performance.now()
  const check = () => {
    if (wanted !== url) return
    const loaded = [...tiles[back].tile_source.tiles.values()]
    const waited = performance.now() - begun
    const complete = loaded.length > 0 && loaded.every((tile) => tile.loaded || tile.finished)
    const first = host.dataset.picture === undefined // nothing to keep on the screen: fill in as tiles come
    if (first || (complete && waited > 90) || waited > 4000) {
      tiles[back].alpha = 1
      tiles[front].alpha = 0
      front = back
      host.dataset.picture = url
      host.dataset.milliseconds = String(Math.round(waited))
      read_value()
    } else setTimeout(check, 25)
  }
  setTimeout(check, host.dataset.picture === undefined ? 0 : 90)
}

// -- small furniture inside the map ------------------------------------------------------------------------------
const host = document.createElement("div")
host.className = "cranpm-furniture"
const style = document.createElement("style")
style.textContent = config.css
host.append(style)

const buttons = document.createElement("div")
buttons.className = "buttons"
for (const [text, label, action] of [
  ["+", "Zoom in", () => zoom_by(0.5)],
  ["−", "Zoom out", () => zoom_by(2)],
  ["⌂", "Show the whole domain", () => go_to(config.domain, true)],
]) {
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = text
  button.title = label
  button.setAttribute("aria-label", label)
  button.addEventListener("click", (event) => { event.stopPropagation(); action() })
  buttons.append(button)
}
host.append(buttons)

const readout = document.createElement("div")
readout.className = "readout"
readout.setAttribute("role", "status")
const parts = {}
for (const name of ["swatch", "value", "index", "where"]) {
  parts[name] = document.createElement("span")
  parts[name].className = name
  readout.append(parts[name])
}
host.append(readout)

const scale_bar = document.createElement("div")
scale_bar.className = "scalebar"
host.append(scale_bar)

function draw_scale_bar() {
  const y = (fig.y_range.start + fig.y_range.end) / 2
  const metres = resolution() / Math.cosh(y / 6378137) // Mercator stretches by 1 / cos(lat)
  const raw = metres * 110
  const power = Math.pow(10, Math.floor(Math.log10(raw)))
  const nice = [1, 2, 5, 10].map((k) => k * power).filter((k) => k <= raw).pop()
  scale_bar.style.width = `${nice / metres}px`
  scale_bar.textContent = nice >= 1000 ? `${nice / 1000} km` : `${nice} m`
}

// -- the value under the pointer: the latest position wins, one question at a time -------------------------------
let pointer = null
let asking = false
function place_text(lat, lon) {
  return `${Math.abs(lat).toFixed(2)}° ${lat < 0 ? "S" : "N"}  ${Math.abs(lon).toFixed(2)}° ${lon < 0 ? "W" : "E"}`
}
async function read_value() {
  if (asking || pointer === null) return
  asking = true
  const asked = pointer
  try {
    const answer = await fetch(`cell/${picture.data.cell[0]}?x=${asked[0]}&y=${asked[1]}`)
    if (answer.ok && pointer !== null) show_value(await answer.json())
    else hide_value()
  } catch { hide_value() }
  asking = false
  if (pointer !== null && pointer !== asked) read_value()
}
function show_value(cell) {
  readout.classList.add("on")
  parts.swatch.style.background = cell.colour || "transparent"
  parts.swatch.style.display = cell.colour ? "" : "none"
  if (!cell.inside) {
    parts.value.textContent = "outside the domain"
    parts.index.textContent = ""
  } else if (cell.value === null) {
    parts.value.textContent = "no data"
    parts.index.textContent = ""
  } else {
    const sign = picture.data.signed[0] && cell.value > 0 ? "+" : ""
    parts.value.textContent = `${sign}${cell.value.toFixed(1).replace("-", "−")} ${picture.data.units[0]}`
    parts.index.textContent = cell.index
  }
  const height = cell.inside && cell.elevation !== null ? `  ${cell.elevation} m` : ""
  parts.where.textContent = place_text(cell.lat, cell.lon) + height
}
function hide_value() { readout.classList.remove("on") }

// -- start ---------------------------------------------------------------------------------------------------------
// the figure's view may be rendered again, which empties it
function attach() {
  if (!host.isConnected) context.index.get_one(fig)?.shadow_el.append(host)
  // Bokeh calls a tile finished once drawn; one loaded beyond the view would keep the page "loading" for ever
  for (const layer of [...tiles, land]) {
    const layer_view = context.index.get_one(layer)
    if (!layer_view) continue
    layer_view.has_finished = () => true
    // Bokeh would also fetch the children of what is in view, while the tiles that are needed still wait
    layer_view._prefetch_tiles = () => {}
  }
}

// Bokeh takes the next coarser level, which looks blurred; take the next finer one until it is nearly 1.25 too coarse
for (const layer of [...tiles, land]) {
  layer.tile_source.get_level_by_extent = (extent, _height, width) => {
    const needed = (extent[2] - extent[0]) / Math.max(width, 1)
    const level = Math.ceil(Math.log2(156543.03392804097 / (1.25 * needed)))
    return Math.min(Math.max(level, 0), layer.tile_source.max_zoom)
  }
}
attach()

fig.on_event("mousemove", (event) => { pointer = [event.x, event.y]; read_value() })
fig.on_event("mouseleave", () => { pointer = null; hide_value() })

let known_size = [0, 0]
let known_view = null
function fit_size() {
  const size = [W(), H()]
  if (size[0] < 10 || size[1] < 10 || (size[0] === known_size[0] && size[1] === known_size[1])) return
  known_size = size
  attach()
  // tile renderers snap to a whole zoom level when they first paint; ours comes after
  const box = known_view ?? [view.data.west[0], view.data.south[0], view.data.east[0], view.data.north[0]]
  setTimeout(() => go_to(box, false), 0)
  setTimeout(() => go_to(box, false), 60)
}
fig.connect(fig.properties.inner_width.change, fit_size)
fig.connect(fig.properties.inner_height.change, fit_size)
for (const range of [fig.x_range, fig.y_range]) {
  range.connect(range.properties.start.change, moved)
  range.connect(range.properties.end.change, moved)
}
view.connect(view.properties.data.change, () => {
  known_view = null
  go_to([view.data.west[0], view.data.south[0], view.data.east[0], view.data.north[0]], true)
})
picture.connect(picture.properties.data.change, show_picture)
show_picture()

const wanted_keys = new Set(["ArrowLeft", "ArrowRight", "1", "2", "3", " ", "Escape"])
document.addEventListener("keydown", (event) => {
  const target = event.composedPath()[0]
  const typing = target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  const on_control = target instanceof HTMLElement && target.closest("[role=slider],[role=listbox],[role=menu],[role=radiogroup],button")
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !wanted_keys.has(event.key)) return
  if (on_control && event.key === " ") return
  event.preventDefault()
  keys.data = {key: [event.key], serial: [keys.data.serial[0] + 1]}
})

fit_size()
set_detail()
