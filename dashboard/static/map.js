// What the map does in the browser: fit, crossfade of tile layers, level of detail of lines and names,
// the value under the pointer, keys. Runs once per map, as the body of a Bokeh CustomJS.
//
// Arguments: fig, tiles [a, b], stations, place, lines {kind: renderer}, names (data source),
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

// -- lines and names: only as much detail as the zoom shows; fetched when first needed ----------------------------
const fetched = {}
function fetch_once(address) {
  fetched[address] ??= fetch(address).then((r) => r.ok ? r.json() : null).catch(() => { delete fetched[address]; return null })
  return fetched[address]
}

let detail_now = -1
let group_now = -1
function set_detail() {
  const res = resolution()
  const detail = res > 2600 ? 0 : res > 420 ? 1 : 2
  if (detail !== detail_now) {
    detail_now = detail
    for (const [kind, renderer] of Object.entries(lines)) {
      fetch_once(`outline/${kind}/${detail}.json`).then((data) => {
        if (data !== null && detail === detail_now) renderer.data_source.data = data
      })
    }
  }
  const size = Math.min(Math.max(22 / Math.pow(res / 150, 0.45), 3.2), 11)
  if (Math.abs(stations.glyph.size.value - size) > 0.4) {
    stations.glyph.size = {value: size}
    stations.glyph.line_width = {value: size < 5 ? 0.4 : 1}
  }
  const group = config.name_resolutions.filter((limit) => res < limit).length
  if (group !== group_now) {
    group_now = group
    fetch_once(`names/${group}.json`).then((data) => {
      if (data !== null && group === group_now) names.data = data
    })
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
  last = [x, y, clamped]
  const data = {west: [fig.x_range.start], south: [fig.y_range.start], east: [fig.x_range.end], north: [fig.y_range.end]}
  const old = viewport.data
  if (Math.abs(old.west[0] - data.west[0]) + Math.abs(old.north[0] - data.north[0]) + Math.abs(old.east[0] - data.east[0]) > res) {
    viewport.data = data
  }
}

// -- pictures: the new one loads unseen over the old one and replaces it when complete --------------------------
let front = 0
const PATIENCE = 15000 // how long a later version of a field waits for the one that loads [ms]
let wanted = "", loading_since = -Infinity
const field_of = (url) => url.replace(/^(tiles\/[^/]+)\/[^/]+/, "$1") // an address without its version
function show_picture() {
  const url = picture.data.url[0]
  if (url === wanted) return
  // a map under way has a new version several times a second: on a slow machine none would ever be complete
  if (field_of(url) === field_of(wanted) && performance.now() - loading_since < PATIENCE) return
  wanted = url
  const back = 1 - front
  tiles[back].tile_source.url = url
  tiles[back].alpha = 0
  const begun = loading_since = performance.now()
  const swap = () => {
    tiles[back].alpha = 1
    tiles[front].alpha = 0
    // out of sight, it would still ask for tiles at every move
    tiles[front].tile_source.url = config.no_tiles
    front = back
    host.dataset.picture = url
  }
  const check = () => {
    if (wanted !== url) return
    const loaded = [...tiles[back].tile_source.tiles.values()]
    const waited = performance.now() - begun
    const complete = waited > 90 && loaded.length > 0 && loaded.every((tile) => tile.loaded || tile.finished)
    // nothing to keep on the screen, or too long to wait: fill in as tiles come
    if (front !== back && (complete || waited > 4000 || host.dataset.picture === undefined)) swap()
    if (complete) {
      host.dataset.complete = url
      host.dataset.milliseconds = String(Math.round(waited))
      loading_since = -Infinity
      read_value()
      show_picture() // what has arrived meanwhile
    } else {
      if (waited > PATIENCE) show_picture() // the last version is not followed by another
      setTimeout(check, 25)
    }
  }
  check()
}

// -- small furniture inside the map ------------------------------------------------------------------------------
const host = document.createElement("div")
host.className = "cranpm-furniture"
host.tabIndex = 0
host.setAttribute("role", "application")
host.setAttribute("aria-label", "Map of PM2.5. Arrow keys move it, plus and minus zoom, Enter picks the place in the middle.")
const style = document.createElement("style")
style.textContent = config.css
host.append(style)
const crosshair = document.createElement("div")
crosshair.className = "crosshair"
host.append(crosshair)

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

// one small card follows the pointer: the cell's exact value, and the station under the pointer if there is one
const readout = document.createElement("div")
readout.className = "readout"
readout.setAttribute("role", "status")
const parts = {}
for (const name of ["station", "cell", "where"]) {
  parts[name] = document.createElement("div")
  parts[name].className = name
  readout.append(parts[name])
}
const swatch = document.createElement("span")
swatch.className = "swatch"
const number = document.createElement("b")
const index = document.createElement("span")
index.className = "index"
parts.cell.append(swatch, number, index)
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
  if (asking || pointer === null || !picture.data.cell[0]) return
  asking = true
  const asked = pointer, field = picture.data.cell[0]
  const is_current = () => pointer === asked && picture.data.cell[0] === field
  try {
    const answer = await fetch(`cell/${field}?x=${asked.x}&y=${asked.y}`)
    const cell = answer.ok ? await answer.json() : null
    // a value of another field would stand beside this one's units
    if (cell !== null && pointer !== null && picture.data.cell[0] === field) show_value(cell)
    else {
      hide_value()
      // the field is not read yet: ask again when the pointer rests
      setTimeout(() => { if (is_current()) read_value() }, 350)
    }
  } catch { hide_value() }
  asking = false
  if (pointer !== null && !is_current()) read_value()
}
function show_value(cell) {
  readout.classList.add("on")
  swatch.style.background = cell.colour || "transparent"
  swatch.style.display = cell.colour ? "" : "none"
  index.textContent = ""
  if (!cell.inside) number.textContent = "outside the domain"
  else if (cell.value === null) number.textContent = "no data"
  else {
    const sign = picture.data.signed[0] && cell.value > 0 ? "+" : ""
    number.textContent = `${sign}${cell.text.replace("-", "−")} ${picture.data.units[0]}`
    index.textContent = cell.index
  }
  const height = cell.inside && cell.elevation !== null ? `  ${cell.elevation} m` : ""
  parts.where.textContent = place_text(cell.lat, cell.lon) + height
  show_station()
  move_readout()
}
function show_station() {
  const columns = stations.data_source.data
  const k = stations.data_source.inspected.indices[0]
  parts.station.textContent = k === undefined ? "" : `${columns.name[k]}: ${columns.value[k]}\n${columns.kind[k]}, ${columns.height[k]}`
}
function move_readout() {
  if (pointer === null) return
  const left = pointer.sx + 16 + readout.offsetWidth > W() ? pointer.sx - 16 - readout.offsetWidth : pointer.sx + 16
  const top = Math.min(Math.max(pointer.sy + 14, 0), H() - readout.offsetHeight - 6)
  readout.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`
}
function hide_value() { readout.classList.remove("on") }

// -- start ---------------------------------------------------------------------------------------------------------
// the figure's view may be rendered again, which empties it
function attach() {
  if (!host.isConnected) context.index.get_one(fig)?.shadow_el.append(host)
  // Bokeh calls a tile finished once drawn; one loaded beyond the view would keep the page "loading" for ever
  for (const layer of tiles) {
    const layer_view = context.index.get_one(layer)
    if (!layer_view) continue
    layer_view.has_finished = () => true
    // Bokeh would also fetch the children of what is in view, while the tiles that are needed still wait
    layer_view._prefetch_tiles = () => {}
  }
}

// Bokeh takes the next coarser level, which looks blurred; take the next finer one until it is nearly 1.25 too coarse
for (const layer of tiles) {
  layer.tile_source.get_level_by_extent = (extent, _height, width) => {
    const needed = (extent[2] - extent[0]) / Math.max(width, 1)
    const level = Math.ceil(Math.log2(156543.03392804097 / (1.25 * needed)))
    return Math.min(Math.max(level, 0), layer.tile_source.max_zoom)
  }
}
attach()

fig.on_event("mousemove", (event) => { pointer = event; move_readout(); read_value() })
fig.on_event("mouseleave", () => { pointer = null; hide_value() })

let known_size = [0, 0]
function fit_size() {
  const size = [W(), H()]
  if (size[0] < 10 || size[1] < 10 || (size[0] === known_size[0] && size[1] === known_size[1])) return
  const first = known_size[0] === 0
  known_size = size
  attach()
  if (first) {
    // tile renderers snap to a whole zoom level when they first paint; ours comes after
    const box = [view.data.west[0], view.data.south[0], view.data.east[0], view.data.north[0]]
    setTimeout(() => go_to(box, false), 0)
    setTimeout(() => go_to(box, false), 60)
  } else setTimeout(keep_view, 0)
}

// after a change of size: the same scale and centre, but never with the picked place out of sight
let last = null
function keep_view() {
  if (last === null) return
  let [x, y, res] = last
  const px = place.data.x[0], py = place.data.y[0]
  if (px !== undefined && (Math.abs(px - x) > 0.46 * W() * res || Math.abs(py - y) > 0.46 * H() * res)) [x, y] = [px, py]
  set_ranges(x, y, Math.min(res, max_resolution()))
  settled()
}
fig.connect(fig.properties.inner_width.change, fit_size)
fig.connect(fig.properties.inner_height.change, fit_size)
for (const range of [fig.x_range, fig.y_range]) {
  range.connect(range.properties.start.change, moved)
  range.connect(range.properties.end.change, moved)
}
view.connect(view.properties.data.change, () => {
  go_to([view.data.west[0], view.data.south[0], view.data.east[0], view.data.north[0]], true)
})
picture.connect(picture.properties.data.change, show_picture)
show_picture()

// -- keys: those of the page, unless a control has the focus; those of the map, once it has ------------------------
const CONTROLS = "a,button,input,select,summary,textarea,[contenteditable=true],[role=button],[role=option],[role=tab]," +
  "[role=slider],[role=listbox],[role=menu],[role=radiogroup],[role=dialog]"
const PAGE_KEYS = new Set(["ArrowLeft", "ArrowRight", "1", "2", "3", " ", "Escape"])
const centre = () => [(fig.x_range.start + fig.x_range.end) / 2, (fig.y_range.start + fig.y_range.end) / 2]

function send_key(key) {
  const [x, y] = centre()
  keys.data = {key: [key], serial: [keys.data.serial[0] + 1], x: [x], y: [y]}
}

function pan_by(right, up) {
  const [x, y] = centre(), res = resolution()
  set_ranges(x + right * 0.15 * W() * res, y + up * 0.15 * H() * res, res)
  settled()
}

function point_at_centre() {
  const [x, y] = centre()
  pointer = {sx: W() / 2, sy: H() / 2, x, y}
  read_value()
}

const MAP_KEYS = {
  ArrowLeft: () => pan_by(-1, 0), ArrowRight: () => pan_by(1, 0), ArrowUp: () => pan_by(0, 1), ArrowDown: () => pan_by(0, -1),
  "+": () => zoom_by(0.5), "=": () => zoom_by(0.5), "-": () => zoom_by(2), Enter: () => send_key("Enter"),
}

document.addEventListener("keydown", (event) => {
  const path = event.composedPath()
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  if (path[0] === host && MAP_KEYS[event.key] !== undefined) {
    event.preventDefault()
    MAP_KEYS[event.key]()
    point_at_centre()
    return
  }
  // arrows and space belong to a control that has the focus; Escape closes the drawer from everywhere
  const on_control = path.some((part) => part instanceof Element && part.matches(CONTROLS))
  if (!PAGE_KEYS.has(event.key) || (on_control && event.key !== "Escape")) return
  event.preventDefault()
  send_key(event.key)
})
host.addEventListener("focus", () => { if (host.matches(":focus-visible")) point_at_centre() })
host.addEventListener("blur", () => { pointer = null; hide_value() })

document.documentElement.classList.add("cranpm-map-is-there") // see page.css
fit_size()
set_detail()
