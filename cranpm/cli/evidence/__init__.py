"""Commands whose figures are quoted: final days, and parts retrained without."""
