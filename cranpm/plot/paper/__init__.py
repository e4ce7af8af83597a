"""The figures of the paper that compare methods, drawn from what an evaluation keeps."""
