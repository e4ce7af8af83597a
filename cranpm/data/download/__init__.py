"""Raw files from the providers: resumable, polite, checked, each with a receipt."""
