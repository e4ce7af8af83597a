"""What a forecast is computed with: the precision of its products, and its memory."""
