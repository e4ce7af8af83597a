"""The simulated Europe: real geography, simulated weather, PM2.5 and instruments."""
