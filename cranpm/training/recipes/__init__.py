"""Whole configurations of a run, changes to them, and the ablations of Table 3."""
