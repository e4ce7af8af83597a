"""The figures of the paper, drawn from forecasts and from what an evaluation keeps."""
