from cranpm.dashboard.pages import build

build().servable(title="CRAN-PM Explorer")
