from .app import build

build().servable(title="CRAN-PM Explorer")
