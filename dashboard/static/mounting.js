// Parts that are put into a page that is there already: what changes while the browser mounts them is not lost.
//
// Panel's components of React (1.9.4) read a property when they are rendered, and listen to it once React has run their
// effects, some frames later. A change in between reached the model and not the screen: a switch showed "off" for what
// was on, and the first click on it did nothing. So who begins to listen hears at once what there is by now; React
// draws nothing anew where that is what it has.
document.addEventListener("DOMContentLoaded", () => {
  const component = window.Bokeh?.Models.get("panel.models.esm.ReactComponent")
  if (component === undefined) return
  const plain = component.prototype.watch
  component.prototype.watch = function (view, property, heard, of_react = false) {
    plain.call(this, view, property, heard, of_react)
    if (of_react) heard()
  }
}, {once: true})
