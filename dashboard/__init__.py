"""The CRAN-PM Explorer: ``panel serve dashboard``."""
