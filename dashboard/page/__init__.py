"""One browser tab: the page that is put together for it, and the run behind its picture."""
