"""What `calibrate` is made of: what a detector says of labelled images, and what is told of it."""
