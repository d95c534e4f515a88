"""A run's folder: taken, resumed, published; and what published runs are good for later."""
