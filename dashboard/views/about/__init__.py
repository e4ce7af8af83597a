"""What is shown and by what: data, licences, model card."""
