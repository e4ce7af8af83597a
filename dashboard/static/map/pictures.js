// A field's tiles: the new picture loads unseen over the old one and replaces it when it is complete.
//
// `marks` names what the map's element says of it: the address that is shown, the one that is complete, how long it took.

function make_pictures({tiles, picture, host, config, marks, on_complete}) {
  const PATIENCE = 15000 // how long a later version of a field waits for the one that loads [ms]
  let front = 0
  let wanted = "", loading_since = -Infinity
  const field_of = (url) => url.replace(/^(tiles\/[^/]+)\/[^/]+/, "$1") // an address without its version

  function show() {
    const url = picture.data.url[0]
    if (url === wanted) return
    // a map under way has a new version several times a second: on a slow machine none would ever be complete
    if (field_of(url) === field_of(wanted) && performance.now() - loading_since < PATIENCE) return
    wanted = url
    if (url === config.no_tiles) {
      hide()
      return
    }
    for (const layer of tiles) layer.visible = true
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
      host.dataset[marks.shown] = url
    }
    const check = () => {
      if (wanted !== url) return
      const loaded = [...tiles[back].tile_source.tiles.values()]
      const waited = performance.now() - begun
      const complete = waited > 90 && loaded.length > 0 && loaded.every((tile) => tile.loaded || tile.finished)
      // nothing to keep on the screen, or too long to wait: fill in as tiles come
      if (front !== back && (complete || waited > 4000 || host.dataset[marks.shown] === undefined)) swap()
      if (complete) {
        host.dataset[marks.complete] = url
        host.dataset[marks.milliseconds] = String(Math.round(waited))
        loading_since = -Infinity
        on_complete()
        show() // what has arrived meanwhile
      } else {
        if (waited > PATIENCE) show() // the last version is not followed by another
        setTimeout(check, 25)
      }
    }
    check()
  }

  function hide() {
    for (const layer of tiles) {
      layer.visible = false
      layer.tile_source.url = config.no_tiles
    }
    for (const mark of Object.values(marks)) delete host.dataset[mark]
    loading_since = -Infinity
  }

  // Bokeh takes the next coarser level, which looks blurred; take the next finer one until it is nearly 1.25 too coarse
  for (const layer of tiles) {
    layer.tile_source.get_level_by_extent = (extent, _height, width) => {
      const needed = (extent[2] - extent[0]) / Math.max(width, 1)
      const level = Math.ceil(Math.log2(156543.03392804097 / (1.25 * needed)))
      return Math.min(Math.max(level, 0), layer.tile_source.max_zoom)
    }
  }

  // the layers' views, which come with the figure's
  function tame(context) {
    for (const layer of tiles) {
      const layer_view = context.index.get_one(layer)
      if (!layer_view) continue
      // Bokeh calls a tile finished once drawn; one loaded beyond the view would keep the page "loading" for ever
      layer_view.has_finished = () => true
      // Bokeh would also fetch the children of what is in view, while the tiles that are needed still wait
      layer_view._prefetch_tiles = () => {}
    }
  }

  picture.connect(picture.properties.data.change, show)
  return {show, tame}
}
