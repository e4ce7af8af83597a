"""What a page says about itself: the first steps, what is shown, what it is made of."""
