from .pages import build

build().servable(title="CRAN-PM Explorer")
