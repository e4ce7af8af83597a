// One small card follows the pointer: the cell's exact value, and the station under the pointer if there is one.
//
// The latest position wins, with one question at a time.

function make_readout({fig, view, picture, stations, host}) {
  const card = make_element(host, "div", "readout")
  card.setAttribute("role", "status")
  const station = make_element(card, "div", "station")
  const cell_row = make_element(card, "div", "cell")
  const where = make_element(card, "div", "where")
  const swatch = make_element(cell_row, "span", "swatch")
  const number = make_element(cell_row, "b", "")
  const index = make_element(cell_row, "span", "index")

  let pointer = null
  let asking = false

  function place_text(lat, lon) {
    return `${Math.abs(lat).toFixed(2)}° ${lat < 0 ? "S" : "N"}  ${Math.abs(lon).toFixed(2)}° ${lon < 0 ? "W" : "E"}`
  }

  async function read() {
    if (asking || pointer === null || !picture.data.cell[0]) return
    asking = true
    const asked = pointer, field = picture.data.cell[0]
    const is_current = () => pointer === asked && picture.data.cell[0] === field
    try {
      const answer = await fetch(`cell/${field}?x=${asked.x}&y=${asked.y}`)
      const cell = answer.ok ? await answer.json() : null
      // a value of another field would stand beside this one's units
      if (cell !== null && pointer !== null && picture.data.cell[0] === field) show(cell)
      else {
        hide()
        // the field is not read yet: ask again when the pointer rests
        setTimeout(() => { if (is_current()) read() }, 350)
      }
    } catch { hide() }
    asking = false
    if (pointer !== null && !is_current()) read()
  }

  function show(cell) {
    card.classList.add("on")
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
    where.textContent = place_text(cell.lat, cell.lon) + height
    show_station()
    place_card()
  }

  function show_station() {
    const columns = stations.data_source.data
    const k = stations.data_source.inspected.indices[0]
    station.textContent = k === undefined ? "" : `${columns.name[k]}: ${columns.value[k]}\n${columns.kind[k]}, ${columns.height[k]}`
  }

  function place_card() {
    if (pointer === null) return
    const beyond = pointer.sx + 16 + card.offsetWidth > view.width()
    const left = beyond ? pointer.sx - 16 - card.offsetWidth : pointer.sx + 16
    const top = Math.min(Math.max(pointer.sy + 14, 0), view.height() - card.offsetHeight - 6)
    card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`
  }

  function hide() { card.classList.remove("on") }

  function leave() {
    pointer = null
    hide()
  }

  function point_at_centre() {
    const [x, y] = view.centre()
    pointer = {sx: view.width() / 2, sy: view.height() / 2, x, y}
    read()
  }

  fig.on_event("mousemove", (event) => { pointer = event; place_card(); read() })
  fig.on_event("mouseleave", leave)
  return {read, leave, point_at_centre}
}
