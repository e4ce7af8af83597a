"""What a run would cost, how it went, and the card of its checkpoint."""
