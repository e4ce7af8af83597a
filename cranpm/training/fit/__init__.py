"""The loop: losses, stages, averages, calibration, and what keeps a run healthy."""
