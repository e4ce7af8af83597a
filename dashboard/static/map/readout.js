// One small card follows the pointer: the cell's exact value, and the station under the pointer if there is one.
//
// The latest position wins, with one question at a time. Where a second map stands beside the first, the card has the
// values of both.

function make_value_row(card) {
  const row = make_element(card, "div", "cell")
  const tag = make_element(row, "b", "tag")
  const swatch = make_element(row, "span", "swatch")
  const number = make_element(row, "b", "number")
  const index = make_element(row, "span", "index")

  function show(cell, columns, letter) {
    row.style.display = ""
    tag.textContent = letter
    tag.style.display = letter ? "" : "none"
    swatch.style.background = cell.colour || "transparent"
    swatch.style.display = cell.colour ? "" : "none"
    index.textContent = ""
    if (!cell.inside) number.textContent = "outside the domain"
    else if (cell.value === null) number.textContent = "no data"
    else {
      const sign = columns.signed[0] && cell.value > 0 ? "+" : ""
      number.textContent = `${sign}${cell.text.replace("-", "−")} ${columns.units[0]}`
      index.textContent = cell.index
    }
  }
  return {show, hide: () => { row.style.display = "none" }}
}

function make_readout({fig, view, split, picture, other, stations, host}) {
  const card = make_element(host, "div", "readout")
  card.setAttribute("role", "status")
  const station = make_element(card, "div", "station")
  const rows = [make_value_row(card), make_value_row(card)]
  const where = make_element(card, "div", "where")

  let pointer = null
  let asking = false

  function place_text(lat, lon) {
    return `${Math.abs(lat).toFixed(2)}° ${lat < 0 ? "S" : "N"}  ${Math.abs(lon).toFixed(2)}° ${lon < 0 ? "W" : "E"}`
  }

  const shown = () => {
    const two = other.data.cell[0] !== ""
    const maps = [{columns: picture.data, letter: two ? "A" : picture.data.tag[0]}, {columns: other.data, letter: "B"}]
    return maps.filter(({columns}) => columns.cell[0] !== "")
  }
  const names_of = (maps) => maps.map(({columns}) => columns.cell[0]).join(" ")

  async function ask(columns, at) {
    const answer = await fetch(`cell/${columns.cell[0]}?x=${at.x}&y=${at.y}`)
    return answer.ok ? await answer.json() : null
  }

  async function read() {
    const maps = shown()
    if (asking || pointer === null || maps.length === 0) return
    asking = true
    const asked = pointer, fields = names_of(maps)
    const same_fields = () => names_of(shown()) === fields
    const is_current = () => pointer === asked && same_fields()
    try {
      const cells = await Promise.all(maps.map(({columns}) => ask(columns, asked)))
      // a value of another field would stand beside this one's units
      if (!cells.includes(null) && pointer !== null && same_fields()) show(cells, maps)
      else {
        hide()
        // the field is not read yet: ask again when the pointer rests
        setTimeout(() => { if (is_current()) read() }, 350)
      }
    } catch { hide() }
    asking = false
    if (pointer !== null && !is_current()) read()
  }

  function show(cells, maps) {
    card.classList.add("on")
    rows.forEach((row, k) => k < cells.length ? row.show(cells[k], maps[k].columns, maps[k].letter) : row.hide())
    const [cell] = cells
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
    const sx = split.to_screen(pointer.sx)
    const beyond = sx + 16 + card.offsetWidth > fig.inner_width
    const left = beyond ? sx - 16 - card.offsetWidth : sx + 16
    const top = Math.min(Math.max(pointer.sy + 14, 0), view.height() - card.offsetHeight - 6)
    card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`
  }

  function hide() { card.classList.remove("on") }

  function leave() {
    pointer = null
    split.point(null)
    hide()
  }

  function point_at_centre() {
    const [x, y] = view.centre()
    pointer = {sx: fig.inner_width / 2, sy: view.height() / 2, x, y}
    split.point(pointer)
    read()
  }

  fig.on_event("mousemove", (event) => { pointer = event; split.point(pointer); place_card(); read() })
  fig.on_event("mouseleave", leave)
  return {read, leave, point_at_centre}
}
