// Puts the parts of the map together, once per map.
//
// Arguments: fig, tiles [a, b], others [a, b], stations, place, lines {kind: renderer}, names (data source),
// picture {url, cell, units}, other (the same of map B, the names of both, and how it is shown), view {west.. [m], serial}, config;
// to the server: viewport, keys, handle {share}.

function start_map(args, context) {
  const {fig, tiles, others, stations, place, lines, names, picture, other, view: asked_view, viewport, keys, handle, config} = args
  const view = make_view({fig, config, place, viewport})
  const furniture = make_furniture({fig, view, config, context})
  const {host} = furniture
  const split = make_split({fig, view, host, tiles, others, other, config, context})
  const readout = make_readout({fig, view, split, picture, other, stations, host})
  const on_complete = readout.read
  const marks = {shown: "picture", complete: "complete", milliseconds: "milliseconds"}
  const other_marks = {shown: "otherPicture", complete: "otherComplete", milliseconds: "otherMilliseconds"}
  const pictures = make_pictures({tiles, picture, host, config, marks, on_complete})
  const other_pictures = make_pictures({tiles: others, picture: other, host, config, marks: other_marks, on_complete})
  const swipe = make_swipe({host, split, tiles, others, other, handle, config, context})
  const detail = make_lines({view, lines, names, stations, config})
  make_keys({view, host, readout, keys})

  function attach() {
    furniture.attach()
    pictures.tame(context)
    other_pictures.tame(context)
    swipe.tame()
    split.tame()
  }
  function draw() {
    detail.set_detail()
    furniture.draw_scale_bar()
  }
  view.on_move(draw)
  view.on_settle(() => { attach(); draw() })

  const asked_box = () => ["west", "south", "east", "north"].map((edge) => asked_view.data[edge][0])
  asked_view.connect(asked_view.properties.data.change, () => view.go_to(asked_box(), true))

  let known_size = [0, 0]
  function fit_size() {
    const size = [view.width(), view.height()]
    if (size[0] < 10 || size[1] < 10 || (size[0] === known_size[0] && size[1] === known_size[1])) return
    const first = known_size[0] === 0
    known_size = size
    attach()
    split.update()
    if (first) {
      // tile renderers snap to a whole zoom level when they first paint; ours comes after
      const box = asked_box()
      setTimeout(() => view.go_to(box, false), 0)
      setTimeout(() => view.go_to(box, false), 60)
    } else setTimeout(view.keep, 0)
  }
  fig.connect(fig.properties.inner_width.change, fit_size)
  fig.connect(fig.properties.inner_height.change, fit_size)

  attach()
  pictures.show()
  other_pictures.show()
  document.documentElement.classList.add("cranpm-map-is-there") // see page.css
  fit_size()
  detail.set_detail()
}
