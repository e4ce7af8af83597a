// Lines, names and circles: only as much detail as the zoom shows; fetched when first needed.

function make_lines({view, lines, names, stations, config}) {
  const fetched = {}
  function fetch_once(address) {
    fetched[address] ??= fetch(address).then((r) => r.ok ? r.json() : null).catch(() => { delete fetched[address]; return null })
    return fetched[address]
  }

  let detail_now = -1
  let group_now = -1
  function set_detail() {
    const res = view.resolution()
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
  return {set_detail}
}
