"""Code for the data in `matrices/`: reading, asking, and refreshing them."""
