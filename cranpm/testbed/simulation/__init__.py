"""Weather, and PM2.5 as a tracer in it."""
