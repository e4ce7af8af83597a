"""Daily values of stations from files of the EEA and OpenAQ."""
