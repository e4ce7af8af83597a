"""Speed as a sceptic would measure it: every figure beside a ceiling and an alternative, timed in turns in one run."""
